import type { LineBox } from "./geometry.ts";
import { CHANNELS, type Picture } from "./picture.ts";

/** Where the picture is much larger than the strip, each pixel is the mean of so many squared at most. */
const MOST_SAMPLES = 4;

/**
 * Cuts a line out of a picture and turns it level, at the height that a network reads. Pixels outside are those of the edge.
 * @param height of the strip
 * @param squeeze its width, for each pixel that it would have in the box's own form
 */
export function cropLine(picture: Picture, box: LineBox, height: number, squeeze = 1): Picture {
  const width = Math.max(1, Math.round((box.length / box.thickness) * height * squeeze));
  const [byColumn, byRow] = [box.length / width, box.thickness / height];
  const [cos, sin] = [Math.cos(box.angle), Math.sin(box.angle)];
  const samples = Math.min(MOST_SAMPLES, Math.max(1, Math.round(Math.max(byColumn, byRow))));
  const pixels = new Uint8Array(width * height * CHANNELS);
  const sampler = new Sampler(picture);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      sampler.clear();
      for (let sample = 0; sample < samples * samples; sample++) {
        const along = (column + ((sample % samples) + 0.5) / samples) * byColumn - box.length / 2;
        const across = (row + (Math.floor(sample / samples) + 0.5) / samples) * byRow - box.thickness / 2;
        sampler.add(box.center.x + along * cos - across * sin, box.center.y + along * sin + across * cos);
      }
      sampler.write(pixels, (row * width + column) * CHANNELS);
    }
  return { pixels, width, height };
}

/** The mean of points of a picture, each interpolated from the four pixels around it. */
class Sampler {
  readonly #picture: Picture;
  readonly #sums = new Float64Array(CHANNELS);
  #count = 0;

  constructor(picture: Picture) {
    this.#picture = picture;
  }

  clear(): void {
    this.#sums.fill(0);
    this.#count = 0;
  }

  /** The centre of the first pixel is at 0.5, 0.5. */
  add(x: number, y: number): void {
    const { pixels, width, height } = this.#picture;
    const left = Math.min(width - 1, Math.max(0, x - 0.5));
    const top = Math.min(height - 1, Math.max(0, y - 0.5));
    const [column, row] = [Math.floor(left), Math.floor(top)];
    const [right, down] = [left - column, top - row];
    const first = (row * width + column) * CHANNELS;
    const next = column + 1 < width ? CHANNELS : 0;
    const below = row + 1 < height ? width * CHANNELS : 0;
    for (let channel = 0; channel < CHANNELS; channel++) {
      const at = first + channel;
      const upper = pixels[at]! * (1 - right) + pixels[at + next]! * right;
      const lower = pixels[at + below]! * (1 - right) + pixels[at + below + next]! * right;
      this.#sums[channel]! += upper * (1 - down) + lower * down;
    }
    this.#count++;
  }

  write(pixels: Uint8Array, at: number): void {
    for (let channel = 0; channel < CHANNELS; channel++)
      pixels[at + channel] = Math.round(this.#sums[channel]! / this.#count);
  }
}
