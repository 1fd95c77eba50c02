import { floatsOf, type OnnxRuntime, type OnnxSession } from "../onnx/onnx-runtime.ts";
import { detectorInput, type Tile, tilesOf } from "./detector-input.ts";
import type { LineBox } from "./geometry.ts";
import { CHANNELS, type Picture } from "./picture.ts";
import type { Sharp } from "./sharp.ts";
import { findTextBoxes } from "./text-boxes.ts";

/**
 * The longest side of what the detector sees, in pixels; of a picture that is more than twice as long as wide, half as much is
 * the shorter side. It costs CPU time and memory in proportion to the area.
 */
const LONGEST_SIDE = 1536;
/** A smaller picture is enlarged towards this side, but not more than so many times: small letters are missed. */
const ENLARGED_SIDE = 1024;
const MOST_ENLARGED = 2;
/** At most so many pixels are seen: five seconds of one core. */
const MOST_SEEN = 12 * 2 ** 20;

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

  /**
   * @param isCancelled asked from time to time; if it is, there are no boxes
   * @returns boxes in the picture's pixels, in no order
   */
  async detect(picture: Picture, isCancelled: () => boolean): Promise<LineBox[]> {
    const seen = await this.#resized(picture, scaleOf(picture));
    const { tiles, margin, width, height } = tilesOf(seen);
    const map = new Float32Array(width * height);
    for (const tile of tiles) {
      if (isCancelled()) return [];
      copyCore(await this.#probabilities(seen, tile), tile, map, width);
    }
    // Both sides are rounded to pixels.
    const [byWidth, byHeight] = [picture.width / seen.width, picture.height / seen.height];
    const size = Math.sqrt(byWidth * byHeight);
    return findTextBoxes(map, width).map(({ center, length, thickness, angle }) => ({
      // The centre of a pixel of the map is at whole numbers, that of the picture's at halves.
      center: { x: (center.x + 0.5 - margin) * byWidth, y: (center.y + 0.5 - margin) * byHeight },
      length: length * size,
      thickness: thickness * size,
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

  /** That each pixel of the tile is text. */
  async #probabilities(seen: Picture, tile: Tile): Promise<Float32Array> {
    const { Tensor } = this.#runtime;
    const input = new Tensor("float32", detectorInput(seen, tile), [1, CHANNELS, tile.height, tile.width]);
    const map = floatsOf(Object.values(await this.#session.run({ x: input }))[0]);
    if (map.length !== tile.width * tile.height)
      throw new Error("The detector's output is not of its input's size.");
    return map;
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

/** The detector's pixels for each of the picture's. */
function scaleOf({ width, height }: Picture): number {
  const side = Math.min(Math.max(width, height), 2 * Math.min(width, height));
  const wanted = Math.max(
    Math.min(1, LONGEST_SIDE / side),
    Math.min(MOST_ENLARGED, ENLARGED_SIDE / Math.max(width, height)),
  );
  return Math.min(wanted, Math.sqrt(MOST_SEEN / (width * height)));
}

/** Copies what a tile is for into the whole map. */
function copyCore(
  from: Float32Array,
  { left, top, width, core }: Tile,
  to: Float32Array,
  pitch: number,
): void {
  for (let y = core.top; y < core.bottom; y++)
    to.set(
      from.subarray((y - top) * width + core.left - left, (y - top) * width + core.right - left),
      y * pitch + core.left,
    );
}
