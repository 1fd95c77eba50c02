/** What a medium is, as far as its headers tell. */
export type MediaInfo = ImageInfo | AudioInfo | VideoInfo | DocumentInfo | BrokenMedia;

export interface ImageInfo {
  readonly kind: "image";
  readonly format: ImageFormat;
  /** In pixels, as stored: before the orientation is applied. */
  readonly width: number;
  readonly height: number;
  /**
   * Whether the first frame decodes to plain RGB without alpha, palette or grey: Pillow's mode "RGB". Undefined if the
   * headers do not tell.
   */
  readonly isRgb: boolean | undefined;
  /** EXIF's orientation, from 1 to 8; undefined if there is none. From 5 on, width and height are swapped on display. */
  readonly orientation: number | undefined;
}

export interface AudioInfo {
  readonly kind: "audio";
  readonly format: AudioFormat;
  /** An estimate where `samples` is undefined. */
  readonly seconds: number | undefined;
  /** Of the decoded sound, in Hz. */
  readonly sampleRate: number | undefined;
  readonly channels: number | undefined;
  /** Samples per channel that a decoder gives, where the headers tell exactly. */
  readonly samples: number | undefined;
  /** Where the samples lie, if they are not compressed. */
  readonly pcm: PcmLayout | undefined;
}

/** Uncompressed samples, interleaved by channel. */
export interface PcmLayout {
  /** Offset of the first sample, in bytes. */
  readonly from: number;
  /** In bytes; a whole number of samples of all channels. */
  readonly length: number;
  readonly encoding: "signed" | "unsigned" | "float";
  readonly bits: number;
  readonly isLittleEndian: boolean;
}

export interface VideoInfo {
  readonly kind: "video";
  readonly format: VideoFormat;
  /** In pixels, after the container's rotation. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly seconds: number | undefined;
  /** Frames of the first video track: counted by the container, or its duration times its frame rate. */
  readonly frames: number | undefined;
  readonly framesPerSecond: number | undefined;
}

export interface DocumentInfo {
  readonly kind: "document";
  readonly format: "pdf";
}

/** A medium whose format is clear, but whose headers cannot be used. */
export interface BrokenMedia {
  readonly kind: "broken";
  readonly medium: "image" | "audio" | "video";
  readonly format: ImageFormat | AudioFormat | VideoFormat;
  /**
   * `incomplete`: the data ends within the headers, or they are longer than what is read; `empty`: there are no pixels
   * or samples; `invalid`: the headers contradict the format.
   */
  readonly problem: "incomplete" | "empty" | "invalid";
}

export type ImageFormat = "png" | "jpeg" | "gif" | "webp" | "bmp" | "tiff" | "avif" | "heic";
export type AudioFormat = "wav" | "mp3" | "flac" | "ogg" | "m4a" | "webm" | "mkv" | "aac" | "aiff" | "au";
export type VideoFormat = "mp4" | "mov" | "webm" | "mkv" | "avi" | "ogg";
