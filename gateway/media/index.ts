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
  type MediaExpansion,
  type MediaKind,
  type MediaTokens,
  type ModelFiles,
  mediaTokensOf,
} from "./tokens/index.ts";
