// The thread in which a moonshine engine decodes audio and computes: ONNX Runtime's Node binding would keep the worker's own
// thread from answering anyone.
import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "#runtime";
import { AudioError } from "../audio/audio-error.ts";
import { decodeAudio } from "../audio/decode.ts";
import { SPEECH_RATE } from "../audio/samples.ts";
import { Hearing, type Model } from "./hearing.ts";
import type { FromThread, ThreadData, ToThread } from "./messages.ts";
import { asOnnx, findModel } from "./model-files.ts";
import { loadOnnxRuntime } from "./onnx-runtime.ts";
import { Recogniser } from "./recogniser.ts";
import { Vocabulary } from "./vocabulary.ts";
import { VoiceDetector } from "./voice-detector.ts";

const port = parentPort!;
const send = (message: FromThread) => port.postMessage(message);
const hearings = new Map<number, Hearing>();

/** Messages are handled in order: each waits for the one before. */
let last: Promise<void> = Promise.resolve();

try {
  const model = await openModel(workerData);
  port.on("message", (message: ToThread) => {
    last = last.then(() => handle(model, message));
  });
  send({ kind: "ready" });
} catch (error) {
  send({ kind: "unready", message: messageOf(error) });
}

async function openModel({ folder, threads }: ThreadData): Promise<Model> {
  const files = findModel(folder);
  const runtime = await loadOnnxRuntime(folder);
  const options = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Threads that spin while they wait take the cores from other processes: on busy cores, half as fast in all.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
  const open = async (path: string) => runtime.InferenceSession.create(await asOnnx(path, runtime), options);
  const [encoder, decoder] = [await open(files.encoder), await open(files.decoder)];
  return {
    recogniser: new Recogniser(runtime, encoder, decoder),
    vocabulary: new Vocabulary(await readFile(files.vocabulary)),
    // Its matrices are too small to be divided.
    voice: await VoiceDetector.open(runtime, files.voice, { ...options, intraOpNumThreads: 1 }),
  };
}

async function handle(model: Model, message: ToThread): Promise<void> {
  if (message.kind === "close") {
    await model.recogniser.close();
    await model.voice.close();
    port.close();
    return;
  }
  const { id } = message;
  const began = performance.now();
  const computeSeconds = () => (performance.now() - began) / 1000;
  try {
    switch (message.kind) {
      case "begin": {
        const { audio, temperature, cancelled } = message;
        const samples = await decodeAudio(audio);
        hearings.set(id, new Hearing(model, samples, temperature, () => Atomics.load(cancelled, 0) === 1));
        const audioSeconds = samples.length / SPEECH_RATE;
        send({ kind: "begun", id, audioSeconds, computeSeconds: computeSeconds() });
        break;
      }
      case "next": {
        const window = await hearings.get(id)!.next((text) => send({ kind: "text", id, text }));
        send({ kind: "window", id, ...window, computeSeconds: computeSeconds() });
        break;
      }
      case "end":
        hearings.delete(id);
    }
  } catch (error) {
    hearings.delete(id);
    send({ kind: "failed", id, message: messageOf(error), isAudio: error instanceof AudioError });
  }
}
