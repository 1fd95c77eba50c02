import type { HeaderBytes } from "../bytes.ts";
import { type Box, boxesIn, brandsOf, childrenOf } from "../container/boxes.ts";
import { broken, type Head, type MediaFormat } from "../format.ts";
import type { BrokenMedia, ImageInfo } from "../info.ts";
import { sized } from "./sized.ts";

/** AVIF: AV1 pictures in HEIF. */
export const avif: MediaFormat = {
  medium: "image",
  format: "avif",
  matches: (head) => hasBrand(head, ["avif", "avis"]),
  read: (bytes) => readHeif(bytes, "avif"),
};

/** HEIC: HEVC pictures in HEIF, and HEIF with other codecs. */
export const heic: MediaFormat = {
  medium: "image",
  format: "heic",
  matches: (head) => hasBrand(head, ["heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"]),
  read: (bytes) => readHeif(bytes, "heic"),
};

/** By the major brand; `mif1` with a compatible brand is that one. */
function hasBrand(head: Head, brands: readonly string[]): boolean {
  const [major, ...compatible] = brandsOf(head);
  if (major === undefined) return false;
  const isGeneric = major === "mif1" || major === "msf1";
  return brands.includes(
    (isGeneric && compatible.find((brand) => /^(?:avi[fs]|he[iv][cxms])$/.test(brand))) || major,
  );
}

/** The primary item's properties (ISO/IEC 23008-12, section 6.5, and 14496-12, section 8.11). */
function readHeif(bytes: HeaderBytes, format: "avif" | "heic"): ImageInfo | BrokenMedia {
  const meta = find(boxesIn(bytes, 0, bytes.size), "meta");
  if (meta === undefined) return broken({ medium: "image", format }, "incomplete");
  const inside = [...boxesIn(bytes, meta.body + 4, meta.end)];
  const itemProperties = find(inside, "iprp");
  const properties = itemProperties && [...childrenOf(bytes, itemProperties)];
  const container = properties && find(properties, "ipco");
  if (properties === undefined || container === undefined)
    return broken({ medium: "image", format }, "invalid");
  const all = [...childrenOf(bytes, container)];
  const associations = find(properties, "ipma");
  const primary = primaryItem(bytes, find(inside, "pitm"));
  const own = associations && primary !== undefined ? propertiesOf(bytes, associations, primary) : undefined;
  const mine = own?.flatMap((index) => all[index - 1] ?? []) ?? all;
  const extent = find(mine, "ispe");
  if (extent === undefined) return broken({ medium: "image", format }, "invalid");
  return sized({
    format,
    width: bytes.u32(extent.body + 4),
    height: bytes.u32(extent.body + 8),
    isRgb:
      !all.some((box) => box.type === "auxC" && isAlpha(bytes, box)) && !isGrey(bytes, find(mine, "av1C")),
    orientation: orientationOf(bytes, find(mine, "irot"), find(mine, "imir")),
  });
}

function find(boxes: Iterable<Box>, type: string): Box | undefined {
  for (const box of boxes) if (box.type === type) return box;
  return undefined;
}

function primaryItem(bytes: HeaderBytes, box: Box | undefined): number | undefined {
  if (box === undefined) return undefined;
  return bytes.u8(box.body) === 0 ? bytes.u16(box.body + 4) : bytes.u32(box.body + 4);
}

/** Which properties an item has, as one-based indices; undefined if none are listed for it. */
function propertiesOf(bytes: HeaderBytes, { body, end }: Box, item: number): number[] | undefined {
  const [hasWideIds, hasWideIndices] = [bytes.u8(body) > 0, (bytes.u8(body + 3) & 1) === 1];
  const entries = bytes.u32(body + 4);
  let at = body + 8;
  for (let entry = 0; entry < entries && at < end; entry += 1) {
    const id = hasWideIds ? bytes.u32(at) : bytes.u16(at);
    at += hasWideIds ? 4 : 2;
    const count = bytes.u8(at);
    at += 1;
    if (id === item)
      return Array.from({ length: count }, (_, index) =>
        hasWideIndices ? bytes.u16(at + 2 * index) & 0x7fff : bytes.u8(at + index) & 0x7f,
      );
    at += count * (hasWideIndices ? 2 : 1);
  }
  return undefined;
}

function isAlpha(bytes: HeaderBytes, { body, end }: Box): boolean {
  const name = bytes.text(body + 4, Math.min(end - body - 4, 64));
  return (
    name.startsWith("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha") ||
    name.startsWith("urn:mpeg:hevc:2015:auxid:1")
  );
}

/** AV1's configuration record says that there is no colour (AV1-ISOBMFF, section 2.3.3). */
function isGrey(bytes: HeaderBytes, configuration: Box | undefined): boolean {
  return configuration !== undefined && (bytes.u8(configuration.body + 2) & 0x10) !== 0;
}

/** EXIF's orientation for a rotation (anti-clockwise, before) and a mirror. */
const MIRRORED = [
  [undefined, 4, 2],
  [8, 5, 7],
  [3, 2, 4],
  [6, 7, 5],
] as const;

function orientationOf(
  bytes: HeaderBytes,
  rotation: Box | undefined,
  mirror: Box | undefined,
): number | undefined {
  const angle = rotation === undefined ? 0 : bytes.u8(rotation.body) & 3;
  return MIRRORED[angle]?.[mirror === undefined ? 0 : 1 + (bytes.u8(mirror.body) & 1)];
}
