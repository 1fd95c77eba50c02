// The thread in which OCR decodes pictures and computes.
import { readFile } from "node:fs/promises";
import { workerData } from "node:worker_threads";
import { isRaised } from "../onnx/cancel-flag.ts";
import { loadOnnxRuntime, type SessionOptions, sessionOptions } from "../onnx/onnx-runtime.ts";
import { serveModel } from "../onnx/serve-model.ts";
import { parseDictionary } from "./ctc.ts";
import { Detector } from "./detector.ts";
import type { ReadMessage, TextLine, ThreadData } from "./messages.ts";
import { findModels } from "./model-files.ts";
import { PictureError } from "./picture-error.ts";
import { type Models, readPicture } from "./read-picture.ts";
import { Recogniser } from "./recogniser.ts";
import { loadSharp } from "./sharp.ts";
import { TurnClassifier } from "./turn-classifier.ts";

await serveModel<Models, ReadMessage, never, readonly TextLine[]>({
  open: () => openModels(workerData),
  handle: (models, { picture, cancelled }) => readPicture(models, picture, () => isRaised(cancelled)),
  onFailure: (_message, error) => (error instanceof PictureError ? error.problem : undefined),
  close: async ({ detector, classifier, recogniser }) => {
    await detector.close();
    await classifier.close();
    await recogniser.close();
  },
});

async function openModels({ folder, threads }: ThreadData): Promise<Models> {
  const files = findModels(folder);
  const runtime = await loadOnnxRuntime("ocr", folder);
  const sharp = await loadSharp(folder);
  sharp.concurrency(threads);
  // Each picture is decoded once.
  sharp.cache(false);
  const options = sessionOptions(threads);
  // The detector needs half a gigabyte for a large page; it is freed after each one, which costs little time.
  const frugal: SessionOptions = { ...options, enableCpuMemArena: false, enableMemPattern: false };
  const { create } = runtime.InferenceSession;
  const characters = parseDictionary(await readFile(files.dictionary, "utf8"));
  return {
    sharp,
    detector: new Detector(runtime, await create(files.detector, frugal), sharp),
    classifier: new TurnClassifier(runtime, await create(files.classifier, options)),
    recogniser: new Recogniser(runtime, await create(files.recogniser, options), characters),
  };
}
