import type { HeaderBytes } from "../bytes.ts";
import type { Head } from "../format.ts";

/** A box of the ISO base media file format (ISO/IEC 14496-12, section 4.2). */
export interface Box {
  readonly type: string;
  /** Offset of its first byte. */
  readonly start: number;
  /** Offset of its contents, after the header. */
  readonly body: number;
  /** Offset after it, which may be past the end of the data. */
  readonly end: number;
}

/** Most boxes that are looked at on one level. */
const MAX_BOXES = 4_096;

/** The boxes between two offsets, up to the first that has no sensible size. */
export function* boxesIn(bytes: HeaderBytes, from: number, to: number): Generator<Box> {
  let start = from;
  for (let index = 0; index < MAX_BOXES && start + 8 <= to && bytes.has(start, 8); index += 1) {
    const short = bytes.u32(start);
    const type = bytes.text(start + 4, 4);
    const isLong = short === 1;
    // A size of 0 means: to the end of the data.
    const size = isLong ? bytes.u64(start + 8) : short === 0 ? to - start : short;
    const body = start + (isLong ? 16 : 8);
    const end = start + size;
    if (end < body) return;
    yield { type, start, body, end };
    start = end;
  }
}

export function childrenOf(bytes: HeaderBytes, { body, end }: Box): Generator<Box> {
  return boxesIn(bytes, body, Math.min(end, bytes.size));
}

/** The brands of a file type box at the start, the major one first, as far as they are in the head; empty if none. */
export function brandsOf(head: Head): string[] {
  if (!head.has("ftyp", 4)) return [];
  const size = [0, 1, 2, 3].reduce((sum, index) => sum * 256 + head.text(index, 1).charCodeAt(0), 0);
  const compatible = head.text(16, Math.max(0, size - 16)).match(/.{4}/gs) ?? [];
  return [head.text(8, 4), ...compatible];
}
