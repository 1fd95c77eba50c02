import type { HeaderBytes } from "../bytes.ts";
import { broken, type MediaFormat } from "../format.ts";
import { Orientation } from "./orientation.ts";
import { sized } from "./sized.ts";

/** Most chunks that are looked at for an orientation: a large image has many of pixels. */
const MAX_CHUNKS = 128;

/** PNG and APNG (W3C, "Portable Network Graphics Specification"). */
export const png: MediaFormat = {
  medium: "image",
  format: "png",
  matches: (head) => head.has("\x89PNG\r\n\x1a\n"),
  read(bytes) {
    if (bytes.text(12, 4) !== "IHDR") return broken(this, "invalid");
    // Pillow keeps the mode of a true-colour image with a transparent colour (tRNS).
    const [width, height, isTrueColour] = [bytes.u32(16), bytes.u32(20), bytes.u8(25) === 2];
    if (Math.max(width, height) >= 2 ** 31) return broken(this, "invalid");
    return sized({ format: "png", width, height, isRgb: isTrueColour, orientation: orientationOf(bytes) });
  },
};

function orientationOf(bytes: HeaderBytes): number | undefined {
  const orientation = new Orientation();
  let at = 8;
  for (let index = 0; index < MAX_CHUNKS && bytes.has(at, 12); index += 1) {
    const length = bytes.u32(at);
    const type = bytes.text(at + 4, 4);
    if (type === "eXIf") orientation.readExif(bytes, at + 8, length);
    if (type === "iTXt" && isXmp(bytes, at + 8, length)) orientation.readXmp(bytes, at + 8, length);
    if (type === "IEND") break;
    at += length + 12;
  }
  return orientation.value;
}

const XMP = "XML:com.adobe.xmp\0";

/** Uncompressed, as all writers store it. */
function isXmp(bytes: HeaderBytes, at: number, length: number): boolean {
  return (
    length > XMP.length && bytes.has(at, XMP.length + 1) && bytes.text(at, XMP.length + 1) === `${XMP}\0`
  );
}
