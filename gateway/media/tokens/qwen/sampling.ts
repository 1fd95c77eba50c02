import { roundHalfEven } from "../rounding.ts";

/** A video before any frame is chosen. */
export interface Source {
  readonly frames: number;
  readonly framesPerSecond: number;
}

/** Frames that vLLM takes per second. */
const SAMPLED_PER_SECOND = 2;

/** Fewest and most frames that are taken of one video. */
const [MIN_FRAMES, MAX_FRAMES] = [4, 768];

/** Frames that become one layer of patches. */
const LAYER = 2;

/**
 * How many frames of a video vLLM's reader takes for Qwen2-VL, Qwen2.5-VL and Qwen2.5-Omni (vLLM 0.32,
 * `Qwen2VLVideoBackend`).
 * @returns undefined for a video that is too short
 */
export function qwen2Frames({ frames, framesPerSecond }: Source): number | undefined {
  const even = (count: number) => Math.floor(count / LAYER) * LAYER;
  const most = even(Math.min(MAX_FRAMES, frames));
  const wanted = (frames / framesPerSecond) * SAMPLED_PER_SECOND;
  const count = even(Math.min(Math.max(wanted, MIN_FRAMES), most, frames));
  if (count === 0) return undefined;
  // Indices are taken in steps. Rounding can make room for one more, which the reader then takes too.
  return Math.min(Math.ceil(frames / (frames / count)), frames);
}

/**
 * Which frames of a video vLLM's reader takes for Qwen3-VL (vLLM 0.32, `Qwen3VLVideoBackend`): evenly spaced, with the
 * first and the last.
 */
export function qwen3Frames({ frames, framesPerSecond }: Source): number[] {
  const wanted = Math.trunc((frames / framesPerSecond) * SAMPLED_PER_SECOND);
  const count = Math.min(Math.max(wanted, MIN_FRAMES), MAX_FRAMES, frames);
  return evenlySpaced(frames, count);
}

/** NumPy's `linspace(0, frames - 1, count)`, rounded. */
export function evenlySpaced(frames: number, count: number): number[] {
  const step = (frames - 1) / (count - 1);
  return Array.from({ length: count }, (_, index) =>
    index === count - 1 && count > 1 ? frames - 1 : roundHalfEven(count > 1 ? index * step : 0),
  );
}
