import type { HeaderBytes } from "../bytes.ts";

/** Most tags at a file's start; more than one is a tagger's mistake. */
const MAX_TAGS = 4;

/** Where the sound starts after ID3v2 tags (id3.org, "ID3 tag version 2.4.0", section 3.1). */
export function endOfId3(bytes: HeaderBytes): number {
  let at = 0;
  for (let index = 0; index < MAX_TAGS && bytes.has(at, 10) && bytes.text(at, 3) === "ID3"; index += 1) {
    // Seven bits a byte.
    const size = [6, 7, 8, 9].reduce((sum, offset) => sum * 128 + (bytes.u8(at + offset) & 0x7f), 0);
    const footer = bytes.u8(at + 5) & 0x10 ? 10 : 0;
    at += 10 + size + footer;
  }
  return at;
}
