export {
  type AudioInfo,
  type BrokenMedia,
  type DocumentInfo,
  type ImageInfo,
  inspectMedia,
  type MediaBytes,
  type MediaInfo,
  type PcmLayout,
  type VideoInfo,
} from "./inspect/index.ts";
export {
  type ExpandedPrompt,
  expandPrompt,
  type MediaExpansion,
  type MediaKind,
  type MediaTokens,
  type ModelFiles,
  mediaTokensOf,
  type PromptMedium,
  type PromptRange,
} from "./tokens/index.ts";
