import { broken, type MediaFormat } from "../format.ts";
import { isTiff, ORIENTATION, readTags, type Tags } from "./ifd.ts";
import { valid } from "./orientation.ts";
import { sized } from "./sized.ts";

const [WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, EXTRA] = [256, 257, 258, 259, 262, 277, 338];

/** TIFF and BigTIFF: the first page. */
export const tiff: MediaFormat = {
  medium: "image",
  format: "tiff",
  matches: (head) => isTiff(head.text(0, 4)),
  read(bytes) {
    const tags = readTags(bytes, 0);
    const [width, height] = [tags?.get(WIDTH)?.[0], tags?.get(HEIGHT)?.[0]];
    if (tags === undefined || width === undefined || height === undefined) return broken(this, "invalid");
    const orientation = valid(tags.get(ORIENTATION)?.[0]);
    return sized({ format: "tiff", width, height, isRgb: isRgb(tags), orientation });
  },
};

const [RGB, YCBCR] = [2, 6];
const [OLD_JPEG, JPEG] = [6, 7];

/** By Pillow's table of modes; undefined for what it may refuse. */
function isRgb(tags: Tags): boolean | undefined {
  const photometric = tags.get(PHOTOMETRIC)?.[0] ?? 0;
  const compression = tags.get(COMPRESSION)?.[0] ?? 1;
  // The decoder turns YCbCr into RGB where JPEG compressed it.
  if (photometric === YCBCR) return compression === JPEG || compression === OLD_JPEG;
  if (photometric !== RGB) return false;
  const bits = tags.get(BITS) ?? [1];
  if (!bits.every((value) => value === 8 || value === 16)) return undefined;
  const samples = tags.get(SAMPLES)?.[0] ?? 1;
  const [first] = tags.get(EXTRA) ?? [];
  return samples === 3 || (samples > 3 && first === 0);
}
