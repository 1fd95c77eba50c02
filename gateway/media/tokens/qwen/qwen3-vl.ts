import type { VideoInfo } from "../../inspect/index.ts";
import { joined, type Run } from "../expansion.ts";
import type { Family, MediaExpansion, Medium, ModelFiles } from "../family.ts";
import { isTrueIn, numberIn, positiveIn, valueIn } from "../json.ts";
import { videoOptions } from "../processors.ts";
import { roundHalfEven } from "../rounding.ts";
import { evenlySpaced, qwen3Frames } from "./sampling.ts";
import { type PixelLimits, pixelLimits, smartResize } from "./smart-resize.ts";
import { gridOf, qwenImage } from "./vision.ts";

/** Qwen3-VL and Qwen3.5 (vLLM 0.32, `Qwen3VLMultiModalProcessor`). */
export const qwen3Vl: Family = {
  name: "qwen3-vl",
  architectures: [
    "Qwen3VLForConditionalGeneration",
    "Qwen3VLMoeForConditionalGeneration",
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForConditionalGeneration",
  ],
  read(files) {
    const image = files.tokenId("<|image_pad|>") ?? numberIn(files.config, "image_token_id");
    return {
      image: image === undefined ? undefined : qwenImage(files, image),
      video: qwen3Video(files),
    };
  },
};

/** Of all frames together: the defaults of transformers 5.19's `Qwen3VLVideoProcessor`. */
const LIMITS: PixelLimits = { least: 128 * 32 * 32, most: 768 * 32 * 32 };

/** A video becomes, for each pair of its sampled frames, the time as text and one token for each square of patches. */
function qwen3Video(files: ModelFiles): Medium<VideoInfo> | undefined {
  const [placeholder, start, end] = ["video_token_id", "vision_start_token_id", "vision_end_token_id"].map(
    (name) => numberIn(files.config, name),
  );
  if (placeholder === undefined || start === undefined || end === undefined) return undefined;
  const options = videoOptions(files);
  const { patch, merge, layer } = gridOf(options, { patch: 16, merge: 2, layer: 2 });
  const side = patch * merge;
  return {
    placeholder,
    expand({ width, height, frames, framesPerSecond }) {
      if (!width || !height || !frames || !framesPerSecond) return undefined;
      const indices = chosenFrames(options, frames, framesPerSecond);
      const count = indices.length;
      if (count < layer) return undefined;
      const rounded = roundHalfEven(count / layer) * layer;
      const limits = limitsFor(options, side, count);
      const size = smartResize(atLeast({ width, height }, side), side, limits, { count, rounded });
      if (size === undefined) return undefined;
      const pads = { token: placeholder, count: (size.width / side) * (size.height / side) };
      return layers(files, timesOf(indices, framesPerSecond, layer), [start], pads, [end]);
    },
  };
}

/** The frames that vLLM's reader takes; where these are all, the processor chooses among them by its own options. */
function chosenFrames(options: unknown, frames: number, framesPerSecond: number): number[] {
  const read = qwen3Frames({ frames, framesPerSecond });
  if (read.length < frames) return read;
  const wanted = Math.trunc((frames / framesPerSecond) * (positiveIn(options, "fps") ?? 2));
  const [least, most] = [positiveIn(options, "min_frames") ?? 4, positiveIn(options, "max_frames") ?? 768];
  return evenlySpaced(frames, Math.min(Math.max(wanted, least), most, frames));
}

function limitsFor(options: unknown, side: number, frames: number): PixelLimits {
  const limits = pixelLimits({ size: valueIn(options, "size") }, LIMITS);
  if (!isTrueIn(options, "cap_pixels_per_frame")) return limits;
  const most = (positiveIn(options, "max_video_tokens") ?? 768) * side * side;
  const share = Math.min(most, Math.floor(limits.most / frames));
  return { ...limits, most: Math.max(share, Math.trunc(limits.least * 1.05)) * frames };
}

/** Frames smaller than a square of patches are enlarged first. */
function atLeast({ width, height }: { width: number; height: number }, side: number) {
  if (width >= side && height >= side) return { width, height };
  const scale = Math.max(side / height, side / width);
  return { width: Math.trunc(width * scale), height: Math.trunc(height * scale) };
}

/** The middle of each layer's first and last frame, in seconds. The last frame fills up the last layer. */
function timesOf(indices: readonly number[], framesPerSecond: number, layer: number): number[] {
  const time = (index: number) => indices[Math.min(index, indices.length - 1)]! / framesPerSecond;
  return Array.from(
    { length: Math.ceil(indices.length / layer) },
    (_, index) => (time(index * layer) + time(index * layer + layer - 1)) / 2,
  );
}

function layers(
  files: ModelFiles,
  times: readonly number[],
  ...frame: readonly (Run | ArrayLike<number>)[]
): MediaExpansion | undefined {
  // All texts are asked for, even if one is not known yet.
  const texts = times.map((time) => files.encode(`<${tenths(time)} seconds>`));
  const parts: (Run | ArrayLike<number>)[] = [];
  for (const text of texts) {
    if (text === undefined) return undefined;
    parts.push(text, ...frame);
  }
  return joined(parts);
}

/** With one decimal, as Python's `.1f`: an exact half goes to the even digit. */
function tenths(seconds: number): string {
  // Only odd multiples of a quarter lie exactly between two tenths.
  const isHalf = Number.isInteger(seconds * 4) && (seconds * 4) % 2 !== 0;
  return (isHalf ? roundHalfEven(seconds * 10) / 10 : seconds).toFixed(1);
}
