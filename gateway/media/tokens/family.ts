import type { AudioInfo, ImageInfo, MediaInfo, VideoInfo } from "../inspect/index.ts";

/** What may stand in a message beside text, by vLLM's names. */
export type MediaKind = "image" | "audio" | "video";

/** The files of a model that decide how its media become tokens: each one's parsed JSON; undefined if it is absent. */
export interface ModelFiles {
  /** config.json */
  readonly config: unknown;
  /** preprocessor_config.json */
  readonly preprocessor: unknown;
  /** video_preprocessor_config.json */
  readonly videoPreprocessor: unknown;
  /** processor_config.json */
  readonly processor: unknown;
  /** The id of an added or special token; undefined if there is none. */
  tokenId(text: string): number | undefined;
  /** Tokenizes plain text, without special tokens around it; undefined if that is not possible, or not yet. */
  encode(text: string): ArrayLike<number> | undefined;
}

/** What stands in an engine's prompt in place of one placeholder. */
export interface MediaExpansion {
  /** The ids in place of the one placeholder token that the chat template emits. */
  readonly tokens: Uint32Array;
  /**
   * The part of them that vLLM calls the medium's placeholder range, from which it derives the extra keys of blocks
   * (`PlaceholderRange`).
   */
  readonly offset: number;
  readonly length: number;
}

/** How one model's processor expands media. */
export interface MediaTokens {
  readonly family: string;
  /** The token that the chat template emits for one medium; undefined if the model takes none of this kind. */
  placeholder(kind: MediaKind): number | undefined;
  /**
   * Text that the chat template emits for one medium where that is no token (InternVL's `<image>`): after tokenizing the
   * text around it, the placeholder stands for it. Undefined for all other models.
   */
  written(kind: MediaKind): string | undefined;
  /**
   * @returns undefined if the headers do not tell the length, if the model takes no such medium, or if its processor
   * refuses it
   */
  expand(kind: MediaKind, info: MediaInfo): MediaExpansion | undefined;
  /** What becomes of neighbours where an expansion meets text, in the order in which it is done. */
  readonly merges: readonly Merge[];
}

/** Two neighbouring tokens for which the tokenizer has a single one. */
export interface Merge {
  readonly left: number;
  readonly right: number;
  readonly into: number;
}

/** How a model expands media of one kind. */
export interface Medium<Info> {
  readonly placeholder: number;
  /** What the chat template emits, if that is no token. */
  readonly written?: string;
  /** @returns undefined if the length is not known, or if the processor refuses the medium */
  expand(info: Info): MediaExpansion | undefined;
}

/** The kinds that a model takes. */
export interface Media {
  readonly image?: Medium<ImageInfo> | undefined;
  readonly audio?: Medium<AudioInfo> | undefined;
  readonly video?: Medium<VideoInfo> | undefined;
  readonly merges?: readonly Merge[];
}

/** Models whose processors work alike. */
export interface Family {
  readonly name: string;
  /** By `architectures` in config.json. */
  readonly architectures: readonly string[];
  /** @returns undefined if the files are not those of such a model */
  read(files: ModelFiles): Media | undefined;
}
