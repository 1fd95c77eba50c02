import type { Size } from "../expansion.ts";
import { valueIn } from "../json.ts";
import type { Encoder } from "./encoder.ts";

/** The features of an image that is cut into tiles: those of its shape without padding, and one more for each row. */
export interface Features {
  /** Along the sides of the whole, in patches. */
  readonly width: number;
  readonly height: number;
}

/** The sizes into which images are cut, by `image_grid_pinpoints`: pairs of height and width. */
export function pinpoints(config: unknown): Size[] {
  const pairs = valueIn(config, "image_grid_pinpoints");
  if (!Array.isArray(pairs)) return [];
  return pairs.flatMap((pair) => {
    const [height, width]: unknown[] = Array.isArray(pair) ? pair : [];
    return typeof height === "number" && typeof width === "number" ? [{ width, height }] : [];
  });
}

/** The patches of an image in its best tiling, without the padding (vLLM 0.32, `_get_num_unpadded_features`). */
export function unpadded(image: Size, sizes: readonly Size[], encoder: Encoder): Features | undefined {
  const best = bestOf(image, sizes);
  if (best === undefined) return undefined;
  const width = Math.floor(best.width / encoder.image) * encoder.grid;
  const height = Math.floor(best.height / encoder.image) * encoder.grid;
  if (width === 0 || height === 0) return undefined;
  // Truncated after rounding to seven digits, so that 6.99999999 is 7.
  const whole = (value: number) => Math.floor(value + 5e-8);
  const without = (side: number, used: number) => side - 2 * Math.floor((side - used) / 2);
  if (image.width / image.height > width / height)
    return { width, height: without(height, whole(image.height * (width / image.width))) };
  return { width: without(width, whole(image.width * (height / image.height))), height };
}

/** The size that keeps most of the image's pixels; of several, the smallest (transformers, `select_best_resolution`). */
function bestOf({ width, height }: Size, sizes: readonly Size[]): Size | undefined {
  let best: { size: Size; kept: number; wasted: number } | undefined;
  for (const size of sizes) {
    const scale = Math.min(size.width / width, size.height / height);
    const kept = Math.min(Math.trunc(width * scale) * Math.trunc(height * scale), width * height);
    const wasted = size.width * size.height - kept;
    if (best === undefined || kept > best.kept || (kept === best.kept && wasted < best.wasted))
      best = { size, kept, wasted };
  }
  return best?.size;
}
