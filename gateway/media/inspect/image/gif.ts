import type { HeaderBytes } from "../bytes.ts";
import { broken, type MediaFormat } from "../format.ts";
import { sized } from "./sized.ts";

/** GIF 87a and 89a up to the first frame, which may be larger than the screen (CompuServe, "GIF89a Specification"). */
export const gif: MediaFormat = {
  medium: "image",
  format: "gif",
  matches: (head) => head.has("GIF87a") || head.has("GIF89a"),
  read(bytes) {
    const flags = bytes.u8(10);
    let at = 13 + colours(flags);
    for (;;) {
      const block = bytes.u8(at);
      if (block === FRAME) break;
      if (block === END) return broken(this, "empty");
      // Pillow skips bytes that start no block.
      at = block === EXTENSION ? endOfData(bytes, at + 2) : at + 1;
    }
    const u16 = (offset: number) => bytes.u16(offset, true);
    return sized({
      format: "gif",
      width: Math.max(u16(6), u16(at + 1) + u16(at + 5)),
      height: Math.max(u16(8), u16(at + 3) + u16(at + 7)),
      isRgb: false,
      orientation: undefined,
    });
  },
};

const [FRAME, EXTENSION, END] = [0x2c, 0x21, 0x3b];

/** Bytes of a colour table. */
function colours(flags: number): number {
  return flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
}

/** Where data in blocks of at most 255 bytes ends. */
function endOfData(bytes: HeaderBytes, from: number): number {
  for (let at = from; ; ) {
    const length = bytes.u8(at);
    at += length + 1;
    if (length === 0) return at;
  }
}
