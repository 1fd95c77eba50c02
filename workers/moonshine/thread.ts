// The thread in which a moonshine engine decodes audio and computes.
import { readFile } from "node:fs/promises";
import { workerData } from "node:worker_threads";
import { AudioError } from "../audio/audio-error.ts";
import { decodeAudio } from "../audio/decode.ts";
import { SPEECH_RATE } from "../audio/samples.ts";
import { isRaised } from "../onnx/cancel-flag.ts";
import { loadOnnxRuntime, sessionOptions } from "../onnx/onnx-runtime.ts";
import { serveModel } from "../onnx/serve-model.ts";
import { Hearing, type Model } from "./hearing.ts";
import type { SpeechMessage, SpeechResult, ThreadData } from "./messages.ts";
import { asOnnx, findModel } from "./model-files.ts";
import { Recogniser } from "./recogniser.ts";
import { Vocabulary } from "./vocabulary.ts";
import { VoiceDetector } from "./voice-detector.ts";

const hearings = new Map<number, Hearing>();

await serveModel<Model, SpeechMessage, string, SpeechResult>({
  open: () => openModel(workerData),
  handle,
  onFailure: ({ id }, error) => {
    hearings.delete(id);
    return error instanceof AudioError ? "audio" : undefined;
  },
  close: async ({ recogniser, voice }) => {
    await recogniser.close();
    await voice.close();
  },
});

async function openModel({ folder, threads }: ThreadData): Promise<Model> {
  const files = findModel(folder);
  const runtime = await loadOnnxRuntime("moonshine", folder);
  const open = async (path: string) =>
    runtime.InferenceSession.create(await asOnnx(path, runtime), sessionOptions(threads));
  const [encoder, decoder] = [await open(files.encoder), await open(files.decoder)];
  return {
    recogniser: new Recogniser(runtime, encoder, decoder),
    vocabulary: new Vocabulary(await readFile(files.vocabulary)),
    // Its matrices are too small to be divided.
    voice: await VoiceDetector.open(runtime, files.voice, sessionOptions(1)),
  };
}

async function handle(
  model: Model,
  message: SpeechMessage,
  onText: (text: string) => void,
): Promise<SpeechResult | undefined> {
  const { id } = message;
  const began = performance.now();
  const computeSeconds = () => (performance.now() - began) / 1000;
  switch (message.kind) {
    case "begin": {
      const { audio, temperature, cancelled } = message;
      const samples = await decodeAudio(audio);
      hearings.set(id, new Hearing(model, samples, temperature, () => isRaised(cancelled)));
      return {
        kind: "begun",
        audioSeconds: samples.length / SPEECH_RATE,
        computeSeconds: computeSeconds(),
      };
    }
    case "next": {
      const window = await hearings.get(id)!.next(onText);
      return { kind: "window", ...window, computeSeconds: computeSeconds() };
    }
    case "end":
      hearings.delete(id);
      return undefined;
  }
}
