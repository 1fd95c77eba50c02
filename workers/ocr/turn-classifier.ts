import { floatsOf, type OnnxRuntime, type OnnxSession } from "../onnx/onnx-runtime.ts";
import { CHANNELS, type Picture } from "./picture.ts";
import { columnsOf, stripInput } from "./strips.ts";

/** What the classifier sees of a strip, in pixels: its start. */
const WIDTH = 192;

/** Tells whether a line is upside down: PP-OCR's classifier of angles. */
export class TurnClassifier {
  readonly #runtime: OnnxRuntime;
  readonly #session: OnnxSession;

  constructor(runtime: OnnxRuntime, session: OnnxSession) {
    this.#runtime = runtime;
    this.#session = session;
  }

  /**
   * @param strip a level line, as high as the recogniser's
   * @returns the probability that it is upside down
   */
  async isTurned(strip: Picture): Promise<number> {
    const { Tensor } = this.#runtime;
    const start = columnsOf(strip, 0, Math.min(strip.width, WIDTH));
    const input = new Tensor("float32", stripInput(start, WIDTH), [1, CHANNELS, strip.height, WIDTH]);
    const [, turned] = floatsOf(Object.values(await this.#session.run({ x: input }))[0]);
    if (turned === undefined) throw new Error("The classifier's output is not of two classes.");
    return turned;
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}
