import { joinTokens } from "../../kernel/bytes.ts";
import type { MediaInfo } from "../inspect/index.ts";
import type { MediaKind, MediaTokens, Merge } from "./family.ts";

/** A medium of a prompt. */
export interface PromptMedium {
  readonly kind: MediaKind;
  readonly info: MediaInfo;
}

/** Where a medium's tokens are, as vLLM's `PlaceholderRange` says. */
export interface PromptRange {
  /** Which of the prompt's media. */
  readonly medium: number;
  /** Of its first token. */
  readonly offset: number;
  readonly length: number;
}

export interface ExpandedPrompt {
  /** Up to the first medium whose length is not known, if there is one. */
  readonly tokens: Uint32Array;
  /** In the order of the prompt. */
  readonly ranges: readonly PromptRange[];
  /** Whether that is the whole prompt. */
  readonly isComplete: boolean;
}

/**
 * Expands a rendered prompt's placeholders, each by the next medium of its kind, as vLLM does.
 * @param prompt with one placeholder token for each medium
 */
export function expandPrompt(
  tokens: MediaTokens,
  prompt: ArrayLike<number>,
  media: readonly PromptMedium[],
): ExpandedPrompt {
  const kinds = new Map<number, MediaKind>();
  for (const kind of ["image", "audio", "video"] as const) {
    const placeholder = tokens.placeholder(kind);
    if (placeholder !== undefined) kinds.set(placeholder, kind);
  }
  const waiting = media.map((_, index) => index);
  const parts: ArrayLike<number>[] = [];
  const ranges: PromptRange[] = [];
  let [length, copied, isComplete] = [0, 0, true];
  const put = (part: ArrayLike<number>) => {
    parts.push(part);
    length += part.length;
  };
  const ids = Uint32Array.from(prompt);
  for (let at = 0; at < ids.length; at += 1) {
    const kind = kinds.get(ids[at]!);
    if (kind === undefined) continue;
    const place = waiting.findIndex((index) => media[index]!.kind === kind);
    // A placeholder without a medium is text: somebody wrote it.
    if (place < 0) continue;
    const [medium] = waiting.splice(place, 1);
    put(ids.subarray(copied, at));
    copied = at + 1;
    const expansion = tokens.expand(kind, media[medium!]!.info);
    if (expansion === undefined) {
      isComplete = false;
      break;
    }
    ranges.push({ medium: medium!, offset: length + expansion.offset, length: expansion.length });
    put(expansion.tokens);
  }
  if (isComplete) put(ids.subarray(copied));
  return { ...merged(joinTokens(parts), ranges, tokens.merges), isComplete };
}

/** Merges neighbours all over the prompt, one merge after the other. A range begins with the token that has its first. */
function merged(
  tokens: Uint32Array,
  ranges: readonly PromptRange[],
  merges: readonly Merge[],
): Pick<ExpandedPrompt, "tokens" | "ranges"> {
  let [ids, moved] = [tokens, ranges];
  for (const { left, right, into } of merges) {
    const result: number[] = [];
    // Where each token went.
    const places = new Uint32Array(ids.length);
    for (let at = 0; at < ids.length; at += 1) {
      const isPair = ids[at] === left && ids[at + 1] === right;
      places[at] = result.length;
      if (isPair) places[at + 1] = result.length;
      result.push(isPair ? into : ids[at]!);
      if (isPair) at += 1;
    }
    ids = Uint32Array.from(result);
    moved = moved.map((range) => ({ ...range, offset: places[range.offset]! }));
  }
  return { tokens: ids, ranges: moved };
}
