import { type Logger, type MediumToEncode, textFormat } from "#runtime";
import { Admission } from "../admission.ts";
import type { Encoded, Engine } from "../engine.ts";
import { promptlessEngine } from "../promptless-engine.ts";
import { type OcrReader, openOcrReader, PictureError, pageText } from "./reader.ts";

export interface OcrEngineOptions {
  /** The folder with the models, as `npm run ocr` prints it. */
  readonly modelPath: string;
  /** CPU threads of ONNX Runtime. */
  readonly threads: number;
  readonly log: Logger;
}

/** Pictures that it holds in memory at once; it reads one after another. */
const MOST_PICTURES = 4;

/**
 * An engine that reads the text in pictures, for models that take only text.
 * @throws Error that says what to install if something is missing
 */
export async function openOcr(options: OcrEngineOptions): Promise<Engine> {
  const { modelPath, threads, log } = options;
  const reader = await openOcrReader({ folder: modelPath, threads, log });
  return { ...ocrEngine(reader), roles: ["encode"] };
}

function ocrEngine(reader: OcrReader): Engine {
  const admission = new Admission(MOST_PICTURES);
  return {
    ...promptlessEngine({
      ...{ name: "ocr", apis: [], maxSequences: MOST_PICTURES },
      engine: { name: "ocr", version: "PP-OCRv4" },
      card: { role: "encode", media: ["image"], featureFormat: textFormat },
      nature: "This worker reads the text in pictures; it answers no prompts.",
    }),
    stats: () => ({ running: admission.running, waiting: admission.waiting, kvUsage: 0 }),
    close: () => reader.close(),
    async encode(media, signal) {
      const leave = await admission.enter(signal);
      if (leave === undefined) throw signal.reason;
      try {
        const read: Encoded[] = [];
        for (const medium of media) read.push(await textIn(medium, reader, signal));
        return read;
      } finally {
        leave();
      }
    },
  };
}

async function textIn({ data }: MediumToEncode, reader: OcrReader, signal: AbortSignal): Promise<Encoded> {
  try {
    return { kind: "text", text: pageText(await reader.read(data, signal)) };
  } catch (error) {
    if (error instanceof PictureError)
      return { kind: "refused", message: error.message, isTooLarge: error.problem === "too_large" };
    throw error;
  }
}
