import type { Medium } from "../media/medium.ts";

/** A medium in a prompt. */
export interface PromptMedium {
  readonly medium: Medium;
  /** By which caches know it: equal for equal content, and different for any other. */
  readonly identity: string;
  /** Whether the engine knows it by that, so that its KV events have it. */
  readonly isExact: boolean;
}

/** The media in a body, by the names that stand in it for their data. */
export type PromptMedia = ReadonlyMap<string, PromptMedium>;

export const NO_PROMPT_MEDIA: PromptMedia = new Map();
