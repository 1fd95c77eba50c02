import type { HeaderBytes } from "../bytes.ts";
import { type Chunk, chunksIn } from "../container/riff.ts";
import { broken, type MediaFormat } from "../format.ts";
import type { BrokenMedia, ImageInfo } from "../info.ts";
import { Orientation } from "./orientation.ts";
import { sized } from "./sized.ts";

/** WebP, lossy, lossless and extended (RFC 9649, sections 2 and 3). */
export const webp: MediaFormat = {
  medium: "image",
  format: "webp",
  matches: (head) => head.has("RIFF") && head.has("WEBP", 8),
  read(bytes) {
    const chunks = chunksIn(bytes, 12, bytes.size);
    const first = chunks.next().value;
    if (first?.type === "VP8X") return extended(bytes, first, chunks);
    if (first?.type === "VP8 ") return lossy(bytes, first.body);
    if (first?.type === "VP8L") return lossless(bytes, first.body);
    return broken(this, "invalid");
  },
};

const invalid = (): BrokenMedia => broken(webp, "invalid");

function lossy(bytes: HeaderBytes, at: number): ImageInfo | BrokenMedia {
  if (bytes.u24(at + 3) !== 0x9d012a) return invalid();
  // The upper two bits say how to scale on display.
  const [width, height] = [bytes.u16(at + 6, true) & 0x3fff, bytes.u16(at + 8, true) & 0x3fff];
  return sized({ format: "webp", width, height, isRgb: true, orientation: undefined });
}

function lossless(bytes: HeaderBytes, at: number): ImageInfo | BrokenMedia {
  if (bytes.u8(at) !== 0x2f) return invalid();
  const bits = bytes.u32(at + 1, true);
  const [width, height, hasAlpha] = [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1, (bits >>> 28) & 1];
  return sized({ format: "webp", width, height, isRgb: hasAlpha === 0, orientation: undefined });
}

const [ANIMATED, XMP, EXIF, ALPHA] = [0x02, 0x04, 0x08, 0x10];

function extended(bytes: HeaderBytes, head: Chunk, chunks: Iterable<Chunk>): ImageInfo | BrokenMedia {
  const flags = bytes.u8(head.body);
  const [width, height] = [bytes.u24(head.body + 4, true) + 1, bytes.u24(head.body + 7, true) + 1];
  const orientation = new Orientation();
  let hasAlpha = (flags & ALPHA) !== 0;
  for (const { type, body, length } of chunks) {
    // A lossless still image's own header counts, as in libwebp.
    if (type === "VP8L" && !(flags & ANIMATED)) hasAlpha = ((bytes.u32(body + 1, true) >>> 28) & 1) === 1;
    if (type === "ALPH" && !(flags & ANIMATED)) hasAlpha = true;
    if (type === "EXIF" && flags & EXIF) orientation.readExif(bytes, body, length);
    if (type === "XMP " && flags & XMP) orientation.readXmp(bytes, body, length);
  }
  return sized({ format: "webp", width, height, isRgb: !hasAlpha, orientation: orientation.value });
}
