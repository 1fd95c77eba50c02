/** How long a vision encoder takes. */
export interface EncodeTiming {
  /** For each batch, in milliseconds: reading the weights. */
  readonly baseMs: number;
  /** For each megapixel. */
  readonly megapixelMs: number;
}

/** A card, and what of its data sheet is reached. */
export interface Card {
  readonly tflops: number;
  readonly terabytesPerSecond: number;
}

/** As the mock engine's `H100_8B`: half of the data sheet's arithmetic, and 80 % of its bandwidth. */
export const H100: Card = { tflops: 989 / 2, terabytesPerSecond: 3.35 * 0.8 };

/** Pixels of a patch, 14 × 14: Qwen2-VL's encoder and InternViT alike. */
const PIXELS_PER_PATCH = 196;

/**
 * An encoder's time by its parameters: two operations for each parameter and patch, without attention between patches,
 * which is what grows faster than a picture; so the times are lower bounds for large pictures.
 * @param billions of parameters, in 16 bits
 */
export function encodeTimingOf(billions: number, { tflops, terabytesPerSecond }: Card = H100): EncodeTiming {
  const operations = 2 * billions * 1e9 * (1e6 / PIXELS_PER_PATCH);
  return {
    baseMs: (2 * billions) / terabytesPerSecond,
    megapixelMs: (operations / (tflops * 1e12)) * 1000,
  };
}

export const encodeMs = ({ baseMs, megapixelMs }: EncodeTiming, megapixels: number): number =>
  megapixels === 0 ? 0 : baseMs + megapixelMs * megapixels;
