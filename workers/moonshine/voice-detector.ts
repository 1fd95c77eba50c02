import { floatsOf, type OnnxRuntime, type OnnxSession, type SessionOptions } from "../onnx/onnx-runtime.ts";
import { FRAME } from "./windows.ts";

/** Samples before each frame that the model sees too. */
const CONTEXT = 64;
/** Frames that are examined at once: two seconds. */
const BATCH = 64;
/** The size of the model's memory from frame to frame. */
const STATE = [1, 1, 128] as const;

/** Silero VAD, in its version for sequences of frames at 16 kHz. */
export class VoiceDetector {
  readonly #runtime: OnnxRuntime;
  readonly #session: OnnxSession;

  private constructor(runtime: OnnxRuntime, session: OnnxSession) {
    this.#runtime = runtime;
    this.#session = session;
  }

  static async open(runtime: OnnxRuntime, path: string, options: SessionOptions): Promise<VoiceDetector> {
    return new VoiceDetector(runtime, await runtime.InferenceSession.create(path, options));
  }

  /** The probabilities that each frame of the audio is speech, as they are asked for. */
  async *probabilities(samples: Float32Array): AsyncGenerator<Float32Array> {
    const { Tensor } = this.#runtime;
    let h = new Tensor("float32", new Float32Array(128), STATE);
    let c = h;
    const count = Math.ceil(samples.length / FRAME);
    for (let first = 0; first < count; first += BATCH) {
      const frames = Math.min(BATCH, count - first);
      const input = new Float32Array(frames * (CONTEXT + FRAME));
      for (let frame = 0; frame < frames; frame++) {
        const from = (first + frame) * FRAME - CONTEXT;
        const row = samples.subarray(Math.max(0, from), from + CONTEXT + FRAME);
        input.set(row, frame * (CONTEXT + FRAME) + Math.max(0, -from));
      }
      const output = await this.#session.run({
        input: new Tensor("float32", input, [frames, CONTEXT + FRAME]),
        ...{ h, c },
      });
      const { hn, cn, speech_probs: probabilities } = output;
      if (hn === undefined || cn === undefined) throw new Error("This is not Silero's model for sequences.");
      h = hn;
      c = cn;
      yield floatsOf(probabilities);
    }
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}
