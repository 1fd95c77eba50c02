import type { ImageInfo, VideoInfo } from "../../inspect/index.ts";
import { repeated, shownSize } from "../expansion.ts";
import type { Medium, ModelFiles } from "../family.ts";
import { isTrueIn, positiveIn } from "../json.ts";
import { imageOptions, videoOptions } from "../processors.ts";
import { qwen2Frames } from "./sampling.ts";
import { type PixelLimits, pixelLimits, smartResize } from "./smart-resize.ts";

/** Defaults of transformers 5.19: `Qwen2VLImageProcessor` and `Qwen2VLVideoProcessor`. */
const IMAGE_LIMITS: PixelLimits = { least: 56 * 56, most: 28 * 28 * 1280 };
export const VIDEO_LIMITS: PixelLimits = { least: 128 * 28 * 28, most: 768 * 28 * 28 };

/** Sides of patches, in pixels, and of the squares of patches that become one token. */
export interface Grid {
  readonly patch: number;
  readonly merge: number;
  /** Frames that become one layer of patches. */
  readonly layer: number;
}

/** Options of a processor, with the defaults of its class. */
export function gridOf(options: unknown, defaults: Grid = { patch: 14, merge: 2, layer: 2 }): Grid {
  return {
    patch: positiveIn(options, "patch_size") ?? defaults.patch,
    merge: positiveIn(options, "merge_size") ?? defaults.merge,
    layer: positiveIn(options, "temporal_patch_size") ?? defaults.layer,
  };
}

/** An image becomes one token for each square of `merge` × `merge` patches. */
export function qwenImage(files: ModelFiles, placeholder: number): Medium<ImageInfo> {
  const options = imageOptions(files);
  const { patch, merge } = gridOf(options);
  const limits = pixelLimits(options, IMAGE_LIMITS);
  const side = patch * merge;
  return {
    placeholder,
    expand(info) {
      const size = smartResize(shownSize(info), side, limits);
      return size && repeated(placeholder, (size.width / side) * (size.height / side));
    },
  };
}

/**
 * A video becomes one token for each square of patches in each pair of its sampled frames.
 * @param limits where the model's processor does not go by the files; in pixels of one frame
 */
export function qwen2Video(files: ModelFiles, placeholder: number, limits?: PixelLimits): Medium<VideoInfo> {
  const options = videoOptions(files);
  const { patch, merge, layer } = gridOf(options);
  const own = limits ?? pixelLimits(options, VIDEO_LIMITS);
  const side = patch * merge;
  return {
    placeholder,
    expand({ width, height, frames, framesPerSecond }) {
      if (!width || !height || !frames || !framesPerSecond) return undefined;
      const count = qwen2Frames({ frames, framesPerSecond });
      if (count === undefined) return undefined;
      const most = isTrueIn(options, "cap_pixels_per_frame")
        ? cappedPixels(options, own, side, layer, count)
        : own.most;
      const size = smartResize({ width, height }, side, { least: own.least, most });
      const layers = Math.ceil(count / layer);
      return size && repeated(placeholder, layers * (size.width / side) * (size.height / side));
    },
  };
}

/** An even share of nine tenths of the longest video's tokens, if the model's files ask for that. */
function cappedPixels(
  options: unknown,
  limits: PixelLimits,
  side: number,
  layer: number,
  frames: number,
): number {
  const tokens = positiveIn(options, "max_video_tokens") ?? 128_000;
  const all = Math.trunc(tokens * side * side * 0.9);
  const share = Math.floor((all * layer) / frames);
  return Math.max(Math.min(limits.most, share), Math.trunc(limits.least * 1.05));
}
