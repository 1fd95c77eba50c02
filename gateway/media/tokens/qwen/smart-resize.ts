import type { Size } from "../expansion.ts";
import { positiveIn } from "../json.ts";
import { roundHalfEven } from "../rounding.ts";

/** In pixels; of a Qwen3-VL video, in pixels of all its frames together. */
export interface PixelLimits {
  readonly least: number;
  readonly most: number;
}

/** Ratio of an image's sides above which Qwen's processors refuse it. */
const MAX_RATIO = 200;

/**
 * The limits that a processor's options set: `min_pixels` and `max_pixels`, else the edges of `size`, which by their
 * names would be sides but are areas.
 */
export function pixelLimits(options: unknown, { least, most }: PixelLimits): PixelLimits {
  return {
    least: positiveIn(options, "min_pixels") ?? positiveIn(options, "size", "shortest_edge") ?? least,
    most: positiveIn(options, "max_pixels") ?? positiveIn(options, "size", "longest_edge") ?? most,
  };
}

/**
 * The size to which an image is brought: sides that are multiples of `factor`, an area within the limits and about the
 * same shape (transformers 5.19, `smart_resize` of image_processing_qwen2_vl.py and video_processing_qwen3_vl.py).
 * @param frames how often the area counts, and how often it counts once rounded; 1 for an image
 * @returns undefined for shapes that are refused
 */
export function smartResize(
  { width, height }: Size,
  factor: number,
  { least, most }: PixelLimits,
  frames: { count: number; rounded: number } = { count: 1, rounded: 1 },
): Size | undefined {
  if (Math.max(height, width) / Math.min(height, width) > MAX_RATIO) return undefined;
  const rounded = {
    width: roundHalfEven(width / factor) * factor,
    height: roundHalfEven(height / factor) * factor,
  };
  const area = frames.rounded * rounded.height * rounded.width;
  if (area > most) {
    const scale = Math.sqrt((frames.count * height * width) / most);
    const shrunk = (side: number) => Math.max(factor, Math.floor(side / scale / factor) * factor);
    return { width: shrunk(width), height: shrunk(height) };
  }
  if (area < least) {
    const scale = Math.sqrt(least / (frames.count * height * width));
    const grown = (side: number) => Math.ceil((side * scale) / factor) * factor;
    return { width: grown(width), height: grown(height) };
  }
  return rounded;
}
