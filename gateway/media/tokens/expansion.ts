import type { ImageInfo } from "../inspect/index.ts";
import type { MediaExpansion } from "./family.ts";

/** Most tokens of one medium. No engine takes so many; headers can claim more. */
const MAX_TOKENS = 4_194_304;

/** One token over and over. */
export function repeated(token: number, count: number): MediaExpansion | undefined {
  if (!(count > 0 && count <= MAX_TOKENS)) return undefined;
  return whole(new Uint32Array(count).fill(token));
}

/** Parts in a row, all of which are the medium's range. */
export function joined(parts: readonly ArrayLike<number>[]): MediaExpansion | undefined {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length === 0 || length > MAX_TOKENS) return undefined;
  const tokens = new Uint32Array(length);
  let at = 0;
  for (const part of parts) {
    tokens.set(part, at);
    at += part.length;
  }
  return whole(tokens);
}

function whole(tokens: Uint32Array): MediaExpansion {
  return { tokens, offset: 0, length: tokens.length };
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** An image's size on display: vLLM turns it as EXIF says before anything else. */
export function shownSize({ width, height, orientation }: ImageInfo): Size {
  return (orientation ?? 1) >= 5 ? { width: height, height: width } : { width, height };
}
