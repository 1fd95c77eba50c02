import { floatsOf, type OnnxRuntime, type OnnxSession } from "../onnx/onnx-runtime.ts";
import { decodeCtc, type ReadText } from "./ctc.ts";
import { CHANNELS, type Picture } from "./picture.ts";
import { splitStrip, stripInput } from "./strips.ts";

/** The height of the strips that the recogniser reads, in pixels. */
export const STRIP_HEIGHT = 48;
/** Strips are filled up to multiples of this, so that the runtime plans its memory for few widths. */
const WIDTH_STEP = 64;
/** PaddleOCR fills shorter strips up to this: the network has seen nothing shorter. */
const SHORTEST_WIDTH = 320;
/** Time and memory grow with the square of the width. A line of print has 80 letters, of about 24 pixels. */
const WIDEST = 2560;

/** Reads lines of text: PP-OCR's recogniser. */
export class Recogniser {
  readonly #runtime: OnnxRuntime;
  readonly #session: OnnxSession;
  readonly #characters: readonly string[];

  constructor(runtime: OnnxRuntime, session: OnnxSession, characters: readonly string[]) {
    this.#runtime = runtime;
    this.#session = session;
    this.#characters = characters;
  }

  /**
   * @param strip a level line, `STRIP_HEIGHT` high
   * @returns its text, and the mean probability of its characters
   */
  async read(strip: Picture): Promise<ReadText> {
    const parts: ReadText[] = [];
    for (const part of splitStrip(strip, WIDEST)) {
      const read = await this.#readPart(part);
      if (read.text !== "") parts.push(read);
    }
    const letters = parts.reduce((sum, { text }) => sum + text.length, 0);
    const sum = parts.reduce((total, { text, score }) => total + text.length * score, 0);
    return { text: parts.map(({ text }) => text).join(" "), score: letters === 0 ? 0 : sum / letters };
  }

  async #readPart(strip: Picture): Promise<ReadText> {
    const width = Math.max(SHORTEST_WIDTH, Math.ceil(strip.width / WIDTH_STEP) * WIDTH_STEP);
    const { Tensor } = this.#runtime;
    const input = new Tensor("float32", stripInput(strip, width), [1, CHANNELS, STRIP_HEIGHT, width]);
    const output = Object.values(await this.#session.run({ x: input }))[0];
    if (output?.dims.at(-1) !== this.#characters.length)
      throw new Error("The recogniser's output is not of its dictionary's size.");
    return decodeCtc(floatsOf(output), this.#characters);
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}
