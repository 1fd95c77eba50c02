import type { HeaderBytes } from "../bytes.ts";
import { broken, type MediaFormat } from "../format.ts";
import { sized } from "./sized.ts";

/** Lengths of the known headers: OS/2's two and Windows' five (Microsoft, "Bitmap Header Types"). */
const HEADERS = [12, 40, 52, 56, 64, 108, 124];

/** Windows and OS/2 bitmaps. */
export const bmp: MediaFormat = {
  medium: "image",
  format: "bmp",
  // The length of the second header tells a bitmap from text that begins with "BM".
  matches: (head) =>
    head.has("BM") && HEADERS.some((length) => head.has(`${String.fromCharCode(length)}\0\0\0`, 14)),
  read(bytes) {
    const header = bytes.u32(14, true);
    if (header === 12) {
      const [width, height, bits] = [bytes.u16(18, true), bytes.u16(20, true), bytes.u16(24, true)];
      return sized({ format: "bmp", width, height, isRgb: bits > 8, orientation: undefined });
    }
    const [width, height, bits] = [bytes.i32(18, true), bytes.i32(22, true), bytes.u16(28, true)];
    if (![1, 4, 8, 16, 24, 32].includes(bits)) return broken(this, "invalid");
    return sized({
      format: "bmp",
      width,
      // A negative height means that the first row is the top one.
      height: Math.abs(height),
      isRgb: bits > 8 && !hasAlpha(bytes, header, bits),
      orientation: undefined,
    });
  },
};

const BITFIELDS = 3;

/** Whether Pillow reads an alpha channel: only of 32 bits with masks in a header that has a fourth mask. */
function hasAlpha(bytes: HeaderBytes, header: number, bits: number): boolean {
  if (bits !== 32 || bytes.u32(30, true) !== BITFIELDS || header < 56) return false;
  const masks = [54, 58, 62, 66].map((at) => bytes.u32(at, true));
  return masks[3] !== 0 || masks.every((mask) => mask === 0);
}
