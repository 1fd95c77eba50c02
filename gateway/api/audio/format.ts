import type { TranscribedSegment } from "#runtime";
import type { TranscriptionResult } from "../../requests/tokens/transcription-transfer.ts";
import type { TranscriptionForm } from "./schemas.ts";
import { toSrt, toVtt } from "./subtitles.ts";

/** How OpenAI's API answers a transcription; see its reference, "Create transcription". */
export async function formatted(
  result: TranscriptionResult,
  form: TranscriptionForm,
  task: "transcribe" | "translate",
  headers: Record<string, string>,
): Promise<Response> {
  const text = result.text.trim();
  const plain = (body: string, type: string) =>
    new Response(body, { headers: { ...headers, "content-type": `${type}; charset=utf-8` } });
  switch (form.response_format) {
    case "text":
      return plain(`${text}\n`, "text/plain");
    case "srt":
      return plain(toSrt(result.segments), "application/x-subrip");
    case "vtt":
      return plain(toVtt(result.segments), "text/vtt");
    case "verbose_json":
      return Response.json(
        {
          task,
          language: task === "translate" ? "english" : languageName(result.language),
          duration: result.audioSeconds,
          text,
          ...(wants(form, "segment") && { segments: await verboseSegments(result.segments, form) }),
          ...(wants(form, "word") && { words: result.words }),
          usage: usageOf(result),
        },
        { headers },
      );
    default:
      return Response.json({ text, usage: usageOf(result) }, { headers });
  }
}

/** The audio's length as OpenAI counts it: in whole seconds, rounded up. */
export const usageOf = ({ audioSeconds }: Pick<TranscriptionResult, "audioSeconds">) => ({
  type: "duration",
  seconds: Math.ceil(audioSeconds),
});

/** Whether the answer is to have these times; without a choice, segments have them. */
export const wants = (
  { timestamp_granularities: given = [] }: TranscriptionForm,
  times: "segment" | "word",
): boolean => given.includes(times) || (times === "segment" && given.length === 0);

const names = new Intl.DisplayNames("en", { type: "language" });

/** `english` for `en`, as Whisper names languages. */
function languageName(code: string): string {
  if (code === "") return "unknown";
  try {
    return (names.of(code) ?? code).toLowerCase();
  } catch {
    return code;
  }
}

/** Whisper's measures, as far as the model gives them. */
const verboseSegments = (segments: readonly TranscribedSegment[], { temperature = 0 }: TranscriptionForm) =>
  Promise.all(
    segments.map(async ({ start, end, text, tokens, meanLogprob, noSpeech }, id) => ({
      id,
      // In Whisper's frames of 10 ms.
      seek: Math.round(start * 100),
      start,
      end,
      text,
      tokens,
      temperature,
      avg_logprob: meanLogprob ?? null,
      compression_ratio: await compressionRatio(text),
      no_speech_prob: noSpeech ?? null,
    })),
  );

/** How many times smaller zlib makes the text: high for repetitions, which are a sign of a failed transcription. */
async function compressionRatio(text: string): Promise<number> {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length === 0) return 0;
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return bytes.length / (await new Response(packed).arrayBuffer()).byteLength;
}
