import { resolve } from "node:path";
import type { Logger, TranscribeEvent, TranscribeRequest } from "#runtime";
import { Admission } from "../admission.ts";
import { Arrivals } from "../arrivals.ts";
import type { Engine } from "../engine.ts";
import { speechEngine } from "../speech-engine.ts";
import { TranscribeRefusedError } from "../transcribe-handler.ts";
import { SpeechThread } from "./speech-thread.ts";

export interface MoonshineOptions {
  /** The folder with the model's files. */
  readonly modelPath: string;
  readonly modelName?: string | undefined;
  readonly aliases?: readonly string[] | undefined;
  /** Requests whose audio is held in memory at once; their windows take turns. Default 4. */
  readonly sequences?: number | undefined;
  /** CPU threads of ONNX Runtime. */
  readonly threads: number;
  readonly log: Logger;
}

/** The languages that the model hears. */
const ENGLISH = new Set(["en", "eng", "english"]);

/**
 * Loads Moonshine, an English speech model, into ONNX Runtime, in a thread of this process.
 * @throws Error that says what to install or fetch if something is missing
 */
export async function openMoonshine(options: MoonshineOptions): Promise<Engine> {
  const { threads, log, sequences = 4 } = options;
  const folder = resolve(options.modelPath);
  const began = performance.now();
  const thread = await SpeechThread.open({ folder, threads });
  log.debug("loaded the speech model", { seconds: Math.round(performance.now() - began) / 1000 });
  const admission = new Admission(sequences);
  return speechEngine({
    name: options.modelName ?? "moonshine-base-en",
    aliases: options.aliases,
    engine: { name: "moonshine", version: "base-en, moonshine-cpp 0.1.4" },
    translates: false,
    wordTimes: false,
    maxSequences: sequences,
    stats: () => ({ running: admission.running, waiting: admission.waiting, kvUsage: 0 }),
    close: () => thread.close(),
    async *transcribe(request, signal) {
      check(request);
      const leave = await admission.enter(signal);
      if (leave === undefined) return;
      try {
        yield* transcribe(thread, request, signal);
      } finally {
        leave();
      }
    },
  });
}

function check({ language, translates, words }: TranscribeRequest): void {
  if (translates) throw new TranscribeRefusedError("translates", "This model does not translate.");
  if (words) throw new TranscribeRefusedError("words", "This model gives no times of words.");
  if (language !== undefined && !ENGLISH.has(language))
    throw new TranscribeRefusedError(
      "language",
      `This model hears English only; the language '${language}' is not supported.`,
    );
}

async function* transcribe(
  thread: SpeechThread,
  { audio, temperature = 0 }: TranscribeRequest,
  signal: AbortSignal,
): AsyncGenerator<TranscribeEvent> {
  const request = thread.begin(audio, temperature, signal);
  try {
    const { audioSeconds, computeSeconds: decoding } = await request.begin();
    let computeSeconds = decoding;
    let tokens = 0;
    for (let isLast = false; !isLast && !signal.aborted; ) {
      const texts = new Arrivals<string>();
      const heard = request.next((text) => texts.push(text)).finally(() => texts.end());
      // If nobody reads on, nobody awaits it.
      heard.catch(() => {});
      for await (const arrived of texts) yield { text: arrived.join("") };
      const window = await heard;
      if (window.segment !== undefined) yield { text: "", segments: [window.segment] };
      computeSeconds += window.computeSeconds;
      tokens += window.tokens;
      isLast = window.isLast;
    }
    if (!signal.aborted) yield { text: "", done: { audioSeconds, computeSeconds, language: "en", tokens } };
  } finally {
    request.end();
  }
}
