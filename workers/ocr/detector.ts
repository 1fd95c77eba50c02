import { floatsOf, type OnnxRuntime, type OnnxSession } from "../onnx/onnx-runtime.ts";
import type { LineBox } from "./geometry.ts";
import { CHANNELS, type Picture } from "./picture.ts";
import type { Sharp } from "./sharp.ts";
import { findTextBoxes } from "./text-boxes.ts";

/** The longest side of what the detector sees, in pixels. It costs CPU time and memory in proportion to the area. */
const LONGEST_SIDE = 1536;
/** A small picture is made so much larger at most, as the detector misses letters of fewer than eight pixels. */
const MOST_ENLARGED = 2;
/** Pixels of margin on each side: the detector misses text that touches the edge. */
const MARGIN = 32;
/** Sides are multiples of this, as the network halves them five times. */
const STEP = 32;
/** Mean and deviation of the training pictures' blue, green and red, 0 to 1, as PaddleOCR gives them. */
const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;

/** Finds lines of text: PP-OCR's detector, a network for Differentiable Binarization. */
export class Detector {
  readonly #runtime: OnnxRuntime;
  readonly #session: OnnxSession;
  readonly #sharp: Sharp;

  constructor(runtime: OnnxRuntime, session: OnnxSession, sharp: Sharp) {
    this.#runtime = runtime;
    this.#session = session;
    this.#sharp = sharp;
  }

  /** @returns boxes in the picture's pixels, in no order */
  async detect(picture: Picture): Promise<LineBox[]> {
    const scale = Math.min(MOST_ENLARGED, LONGEST_SIDE / Math.max(picture.width, picture.height));
    const seen = await this.#resized(picture, scale);
    const [width, height] = [padded(seen.width), padded(seen.height)];
    const { Tensor } = this.#runtime;
    const input = new Tensor("float32", detectorInput(seen, width, height), [1, CHANNELS, height, width]);
    const output = await this.#session.run({ x: input });
    const map = floatsOf(Object.values(output)[0]);
    if (map.length !== width * height) throw new Error("The detector's output is not of its input's size.");
    const [byWidth, byHeight] = [picture.width / seen.width, picture.height / seen.height];
    return findTextBoxes(map, width).map(({ center, length, thickness, angle }) => ({
      // Both sides are rounded, by less than a pixel.
      center: { x: (center.x - MARGIN) * byWidth, y: (center.y - MARGIN) * byHeight },
      length: length / scale,
      thickness: thickness / scale,
      angle,
    }));
  }

  async #resized(picture: Picture, scale: number): Promise<Picture> {
    const { pixels, width, height } = picture;
    const side = (length: number) => Math.max(1, Math.round(length * scale));
    if (side(width) === width && side(height) === height) return picture;
    const { data, info } = await this.#sharp(pixels, { raw: { width, height, channels: CHANNELS } })
      .resize(side(width), side(height), { fit: "fill" })
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { pixels: data, width: info.width, height: info.height };
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

const padded = (length: number) => Math.ceil((length + 2 * MARGIN) / STEP) * STEP;

/** The picture in planes of blue, green and red; its margin has the colours of its edge. */
export function detectorInput(picture: Picture, width: number, height: number): Float32Array {
  const { pixels } = picture;
  const input = new Float32Array(CHANNELS * width * height);
  const last = { x: picture.width - 1, y: picture.height - 1 };
  for (let y = 0; y < height; y++) {
    const row = Math.min(last.y, Math.max(0, y - MARGIN)) * picture.width;
    for (let x = 0; x < width; x++) {
      const from = (row + Math.min(last.x, Math.max(0, x - MARGIN))) * CHANNELS;
      const to = y * width + x;
      for (let plane = 0; plane < CHANNELS; plane++)
        input[plane * width * height + to] =
          (pixels[from + CHANNELS - 1 - plane]! / 255 - MEAN[plane]!) / DEVIATION[plane]!;
    }
  }
  return input;
}
