/** A picture as engines see it. */
export interface Picture {
  /** Equal for equal pictures. */
  readonly id: string;
  readonly megapixels: number;
  /** Placeholders in a prompt. */
  readonly tokens: number;
}

export interface PlacedPicture extends Picture {
  /** Position of its first placeholder. */
  readonly offset: number;
}

/** One request: all of its tokens, the answer's too, are known beforehand. */
export interface PictureRequest {
  readonly arrivalMs: number;
  /** The prompt and the answer. */
  readonly tokens: Uint32Array;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly pictures: readonly PlacedPicture[];
}

/** Pixels of one placeholder: 2 × 2 patches of 14 × 14, as in Qwen2-VL; InternVL's 256 for 448 × 448 are as many. */
const PIXELS_PER_TOKEN = 784;

export function pictureOf(id: string, megapixels: number): Picture {
  return { id, megapixels, tokens: Math.ceil((megapixels * 1e6) / PIXELS_PER_TOKEN) };
}
