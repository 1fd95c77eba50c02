import type { MediaInfo } from "../inspect/index.ts";
import type { Family, Media, MediaKind, MediaTokens, ModelFiles } from "./family.ts";
import { gemma3 } from "./gemma/gemma3.ts";
import { gemma3n } from "./gemma/gemma3n.ts";
import { gemma4 } from "./gemma/gemma4.ts";
import { internVlChat, internVlHf } from "./internvl/internvl.ts";
import { valueIn } from "./json.ts";
import { llama4 } from "./llama4.ts";
import { llava } from "./llava/llava.ts";
import { llavaNext } from "./llava/llava-next.ts";
import { llavaOnevision } from "./llava/llava-onevision.ts";
import { mistral3 } from "./pixtral.ts";
import { qwen25Omni } from "./qwen/qwen2-5-omni.ts";
import { qwen2Audio } from "./qwen/qwen2-audio.ts";
import { qwen2Vl } from "./qwen/qwen2-vl.ts";
import { qwen3Omni } from "./qwen/qwen3-omni.ts";
import { qwen3Vl } from "./qwen/qwen3-vl.ts";

export type { MediaExpansion, MediaKind, MediaTokens, ModelFiles } from "./family.ts";
export { type ExpandedPrompt, expandPrompt, type PromptMedium, type PromptRange } from "./prompt.ts";

const FAMILIES: readonly Family[] = [
  qwen2Vl,
  qwen3Vl,
  qwen25Omni,
  qwen3Omni,
  qwen2Audio,
  llava,
  llavaNext,
  llavaOnevision,
  mistral3,
  gemma3,
  gemma3n,
  gemma4,
  internVlHf,
  internVlChat,
  llama4,
];

/**
 * How a model's processor turns media into tokens, as vLLM runs it.
 * @returns undefined for a model without media, or of a family that is not known here
 *
 * @example
 * const tokens = mediaTokensOf(files);
 * const image = tokens?.expand("image", info);
 * if (image !== undefined) console.log(image.tokens.length);
 */
export function mediaTokensOf(files: ModelFiles): MediaTokens | undefined {
  const architectures = valueIn(files.config, "architectures");
  const known = Array.isArray(architectures) ? architectures : [];
  const family = FAMILIES.find((one) => one.architectures.some((name) => known.includes(name)));
  const media = family?.read(files);
  if (family === undefined || media === undefined) return undefined;
  return {
    family: family.name,
    placeholder: (kind) => media[kind]?.placeholder,
    written: (kind) => media[kind]?.written,
    expand: (kind, info) => expand(media, kind, info),
    merges: media.merges ?? [],
  };
}

function expand(media: Media, kind: MediaKind, info: MediaInfo) {
  if (kind === "image" && info.kind === "image") return media.image?.expand(info);
  if (kind === "audio" && info.kind === "audio") return media.audio?.expand(info);
  return kind === "video" && info.kind === "video" ? media.video?.expand(info) : undefined;
}
