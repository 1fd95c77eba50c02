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
