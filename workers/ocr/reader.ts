import { resolve } from "node:path";
import { type Logger, untilAborted } from "#runtime";
import { cancelFlag } from "../onnx/cancel-flag.ts";
import { ModelThread } from "../onnx/model-thread.ts";
import type { ReadMessage, TextLine } from "./messages.ts";
import { PictureError, type PictureProblem } from "./picture-error.ts";

export type { Corners, Point } from "./geometry.ts";
export type { TextLine } from "./messages.ts";
export { pageText } from "./page-text.ts";
export { PictureError, type PictureProblem } from "./picture-error.ts";

export interface OcrOptions {
  /** The folder with the models, as `npm run ocr` prints it. */
  readonly folder: string;
  /** CPU threads. */
  readonly threads: number;
  readonly log?: Logger | undefined;
}

/** Reads the text in pictures, one picture at a time; further ones wait. */
export interface OcrReader {
  /**
   * @param picture a PNG, JPEG, WebP, GIF, AVIF or TIFF file; of several frames or pages, the first one is read
   * @returns the lines in reading order; none if there is no text
   * @throws PictureError if the file cannot be read as a picture
   * @throws the signal's reason once it is aborted
   */
  read(picture: Uint8Array, signal: AbortSignal): Promise<readonly TextLine[]>;
  /** Frees the models, once the pictures that were handed in are read. */
  close(): Promise<void>;
}

/**
 * Loads PaddleOCR's PP-OCRv4 models into ONNX Runtime, in a thread of this process, which also decodes the pictures.
 * @throws Error that says what to install if something is missing
 */
export async function openOcrReader({ folder, threads, log }: OcrOptions): Promise<OcrReader> {
  const began = performance.now();
  const thread = await ModelThread.open<ReadMessage, never, readonly TextLine[]>({
    script: new URL("thread.ts", import.meta.url),
    data: { folder: resolve(folder), threads },
    model: "the OCR models",
    toRefusal: (refusal, message) => new PictureError(problemOf(refusal), message),
  });
  log?.debug("loaded the OCR models", { seconds: Math.round(performance.now() - began) / 1000 });
  return { read: (picture, signal) => read(thread, picture, signal), close: () => thread.close() };
}

async function read(
  thread: ModelThread<ReadMessage, never, readonly TextLine[]>,
  picture: Uint8Array,
  signal: AbortSignal,
): Promise<readonly TextLine[]> {
  signal.throwIfAborted();
  const { shared: cancelled, release } = cancelFlag(signal);
  try {
    // The caller's bytes stay as they are; its buffer may be larger than they are.
    const copy = new Uint8Array(picture);
    const request: ReadMessage = { kind: "read", id: thread.nextId(), picture: copy, cancelled };
    return await untilAborted(thread.ask(request, undefined, [copy.buffer]), signal);
  } finally {
    release();
  }
}

const problemOf = (refusal: string): PictureProblem =>
  refusal === "unsupported" || refusal === "too_large" ? refusal : "damaged";
