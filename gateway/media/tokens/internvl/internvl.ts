import { joined, shownSize } from "../expansion.ts";
import type { Family, Media, ModelFiles } from "../family.ts";
import { isTrueIn, numberIn, positiveIn, textIn, valueIn } from "../json.ts";
import { imageOptions } from "../processors.ts";
import { type Frame, framesMedium } from "./frames.ts";
import { tilesOf } from "./tiles.ts";

/** InternVL in Hugging Face's format (vLLM 0.32, `InternS1MultiModalProcessor`). */
export const internVlHf: Family = {
  name: "internvl-hf",
  architectures: ["InternVLForConditionalGeneration"],
  read(files) {
    const options = imageOptions(files);
    const frame = frameOf(files, positiveIn(files.processor, "image_seq_length") ?? 256);
    const image = files.tokenId("<IMG_CONTEXT>") ?? numberIn(files.config, "image_token_id");
    if (frame === undefined || image === undefined) return undefined;
    const least = positiveIn(options, "min_patches") ?? 1;
    const most = positiveIn(options, "max_patches") ?? 12;
    const tile = positiveIn(options, "size", "height") ?? 384;
    const video = files.tokenId("<video>");
    return {
      image: imageMedium(image, frame, tile, { least, most, hasWhole: true }),
      video: video === undefined ? undefined : framesMedium(files, video, frame, "\n"),
    };
  },
};

/** InternVL as published, whose chat template writes `<image>` and `<video>`, which are no tokens. */
export const internVlChat: Family = {
  name: "internvl",
  architectures: ["InternVLChatModel"],
  read(files) {
    const { config } = files;
    const tile = positiveIn(config, "vision_config", "image_size") ?? 448;
    const patch = positiveIn(config, "vision_config", "patch_size") ?? 14;
    const ratio = positiveIn(config, "downsample_ratio") ?? 0.5;
    const frame = frameOf(files, Math.trunc(Math.floor(tile / patch) ** 2 * ratio ** 2));
    const image = files.tokenId("<IMG_CONTEXT>");
    if (frame === undefined || image === undefined) return undefined;
    const isCut = isTrueIn(config, "dynamic_image_size");
    const least = isCut ? (positiveIn(config, "min_dynamic_patch") ?? 1) : 1;
    const most = isCut ? (positiveIn(config, "max_dynamic_patch") ?? 6) : 1;
    const hasWhole = isTrueIn(config, "use_thumbnail");
    const video = VIDEO_TOKENS[textIn(textConfig(config), "model_type") ?? ""];
    const videoId = video === undefined ? undefined : files.tokenId(video);
    return {
      image: { ...imageMedium(image, frame, tile, { least, most, hasWhole }), written: "<image>" },
      video:
        videoId === undefined
          ? undefined
          : { ...framesMedium(files, videoId, frame, ""), written: "<video>" },
    };
  },
};

/** By the language model (vLLM 0.32, `InternVLProcessingInfo.ctx_video_token`). */
const VIDEO_TOKENS: Readonly<Record<string, string>> = {
  qwen2: "<|video_pad|>",
  qwen3: "<|video_pad|>",
  qwen3_moe: "<|video_pad|>",
  gpt_oss: "<|reserved_200000|>",
};

function textConfig(config: unknown): unknown {
  return valueIn(config, "llm_config") ?? valueIn(config, "text_config");
}

function frameOf(files: ModelFiles, tokens: number): Frame | undefined {
  const [start, end] = [files.tokenId("<img>"), files.tokenId("</img>")];
  return start === undefined || end === undefined || tokens < 1 ? undefined : { start, end, tokens };
}

function imageMedium(
  placeholder: number,
  { start, end, tokens }: Frame,
  tile: number,
  limits: { least: number; most: number; hasWhole: boolean },
): NonNullable<Media["image"]> {
  return {
    placeholder,
    expand(info) {
      const count = tokens * tilesOf(shownSize(info), tile, limits);
      return joined([[start], { token: placeholder, count }, [end]]);
    },
  };
}
