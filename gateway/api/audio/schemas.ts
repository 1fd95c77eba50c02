import { z } from "zod";
import { isRecord } from "../../kernel/json.ts";
import { type FormFile, isFormFile } from "../../kernel/multipart.ts";

const number = z.coerce.number();

const file = z
  .custom<FormFile>(isFormFile, { error: "It must be a file: a part with a filename." })
  .meta({ type: "string", format: "binary", description: "The audio file." });

/** The form of `/v1/audio/transcriptions` and `/v1/audio/translations`, after `completed`. */
export const transcriptionRequest = z.object({
  file,
  model: z.string(),
  language: z.string().max(40).optional().describe("The language that is spoken, ISO 639-1."),
  prompt: z.string().max(10_000).optional().describe("Text that may precede the speech."),
  response_format: z.enum(["json", "text", "srt", "verbose_json", "vtt"]).optional(),
  temperature: number.min(0).max(1).optional(),
  timestamp_granularities: z
    .array(z.enum(["segment", "word"]))
    .optional()
    .describe("Needs `verbose_json`. Default: segment."),
  stream: z
    .stringbool({ truthy: ["true", "1"], falsy: ["false", "0"] })
    .optional()
    .describe("`true` or `false`."),
  include: z.array(z.string()).optional(),
  chunking_strategy: z
    .union([
      z.literal("auto"),
      z.object({
        type: z.literal("server_vad"),
        prefix_padding_ms: number.min(0).optional(),
        silence_duration_ms: number.min(0).optional(),
        threshold: number.min(0).max(1).optional(),
      }),
    ])
    .optional(),
});

export type TranscriptionForm = z.infer<typeof transcriptionRequest>;

const LISTS = new Set(["timestamp_granularities", "include"]);

/**
 * A form's fields, as its schema describes them: empty ones are left out, as clients mean it who send all they have, and a
 * list's single item may have come under its plain name; `chunking_strategy` may be JSON.
 */
export function completed(form: unknown): unknown {
  if (!isRecord(form)) return form;
  const given = Object.entries(form).filter(([name, value]) => value !== "" || name === "model");
  return Object.fromEntries(
    given.map(([name, value]) => {
      if (typeof value !== "string") return [name, value];
      if (LISTS.has(name)) return [name, [value]];
      return [name, name === "chunking_strategy" && value.startsWith("{") ? parsed(value) : value];
    }),
  );
}

/** The value of JSON; text that is none stays as it is, and is refused as such. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
