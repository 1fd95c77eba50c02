import type { ModelFiles } from "../family.ts";
import { positiveIn, textIn } from "../json.ts";

/** A vision encoder of square images. */
export interface Encoder {
  /** In pixels. */
  readonly image: number;
  /** Patches along a side. */
  readonly grid: number;
  /** Tokens of one image that the language model gets. */
  readonly tokens: number;
}

/** CLIP's or SigLIP's, by `vision_config` (vLLM 0.32, `CLIPEncoderInfo`, `SiglipEncoderInfo`); undefined for others. */
export function encoderOf({ config }: ModelFiles): Encoder | undefined {
  const type = textIn(config, "vision_config", "model_type") ?? "clip_vision_model";
  if (type !== "clip_vision_model" && type !== "siglip_vision_model") return undefined;
  const isClip = type === "clip_vision_model";
  const image = positiveIn(config, "vision_config", "image_size") ?? 224;
  const patch = positiveIn(config, "vision_config", "patch_size") ?? (isClip ? 32 : 16);
  const grid = Math.floor(image / patch);
  // CLIP has a token for the class before those of the patches.
  const all = grid * grid + (isClip ? 1 : 0);
  const strategy = textIn(config, "vision_feature_select_strategy") ?? "default";
  return { image, grid, tokens: strategy === "full" ? all : strategy === "class" ? 1 : all - 1 };
}
