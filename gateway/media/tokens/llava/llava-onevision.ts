import type { ImageInfo, VideoInfo } from "../../inspect/index.ts";
import { repeated, shownSize } from "../expansion.ts";
import type { Family, Medium, ModelFiles } from "../family.ts";
import { imageToken, videoToken } from "../placeholders.ts";
import { uniformFrames } from "../video-frames.ts";
import { type Features, pinpoints, unpadded } from "./any-resolution.ts";
import { type Encoder, encoderOf } from "./encoder.ts";

/** LLaVA-OneVision (vLLM 0.32, `LlavaOnevisionMultiModalProcessor`). */
export const llavaOnevision: Family = {
  name: "llava-onevision",
  architectures: ["LlavaOnevisionForConditionalGeneration"],
  read(files) {
    const encoder = encoderOf(files);
    if (encoder === undefined) return undefined;
    return { image: image(files, encoder), video: video(files, encoder) };
  },
};

/** Tiles of an image above which its features are scaled down to these. */
const MAX_TILES = 9;

function image(files: ModelFiles, encoder: Encoder): Medium<ImageInfo> | undefined {
  const placeholder = imageToken(files.config);
  if (placeholder === undefined) return undefined;
  const sizes = pinpoints(files.config);
  return {
    placeholder,
    expand(info) {
      const tiles = unpadded(shownSize(info), sizes, encoder);
      if (tiles === undefined) return undefined;
      const { width, height } = scaledDown(tiles, encoder.grid);
      return repeated(placeholder, encoder.tokens + height * (width + 1));
    },
  };
}

function scaledDown({ width, height }: Features, grid: number): Features {
  const ratio = Math.sqrt((height * width) / (MAX_TILES * grid ** 2));
  return ratio > 1.1
    ? { width: Math.floor(width / ratio), height: Math.floor(height / ratio) }
    : { width, height };
}

/** Patches that a frame's features are pooled from, along a side. */
const POOL = 2;

function video(files: ModelFiles, encoder: Encoder): Medium<VideoInfo> | undefined {
  const placeholder = videoToken(files.config);
  if (placeholder === undefined) return undefined;
  const frameTokens = Math.ceil(encoder.grid / POOL) ** 2;
  return {
    placeholder,
    expand({ frames }) {
      // One more token ends the video.
      return frames ? repeated(placeholder, uniformFrames(frames) * frameTokens + 1) : undefined;
    },
  };
}
