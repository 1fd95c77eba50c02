import type { ImageInfo } from "../inspect/index.ts";
import type { MediaExpansion } from "./family.ts";

/** Most tokens of one medium. No engine takes so many; headers can claim more. */
const MAX_TOKENS = 4_194_304;

/** One token over and over. */
export interface Run {
  readonly token: number;
  readonly count: number;
}

/**
 * Parts in a row, all of which are the medium's range.
 * @returns undefined if there is no token, or if there are more than any engine takes
 */
export function joined(parts: readonly (Run | ArrayLike<number>)[]): MediaExpansion | undefined {
  const length = parts.reduce((sum, part) => sum + lengthOf(part), 0);
  if (!(length > 0 && length <= MAX_TOKENS)) return undefined;
  const tokens = new Uint32Array(length);
  let at = 0;
  for (const part of parts) {
    if ("token" in part) tokens.fill(part.token, at, at + part.count);
    else tokens.set(part, at);
    at += lengthOf(part);
  }
  return { tokens, offset: 0, length };
}

/** NaN for a number of tokens that cannot be. */
function lengthOf(part: Run | ArrayLike<number>): number {
  if (!("token" in part)) return part.length;
  return Number.isInteger(part.count) && part.count >= 0 ? part.count : NaN;
}

export function repeated(token: number, count: number): MediaExpansion | undefined {
  return joined([{ token, count }]);
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** An image's size on display: vLLM turns it as EXIF says before anything else. */
export function shownSize({ width, height, orientation }: ImageInfo): Size {
  return (orientation ?? 1) >= 5 ? { width: height, height: width } : { width, height };
}
