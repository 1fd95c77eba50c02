import type { HeaderBytes } from "../bytes.ts";

/** A directory of TIFF tags, as TIFF files and EXIF have them (TIFF 6.0, section 2; BigTIFF's design by Aware Systems). */
export interface Tags {
  /** The numbers of a tag; undefined if it is absent or not made of integers. */
  get(tag: number): readonly number[] | undefined;
}

export const ORIENTATION = 0x0112;

/** Most numbers that are read of one tag. */
const MAX_VALUES = 16;

/** Bytes of one number, by TIFF's type: BYTE, SHORT, LONG, SBYTE, SSHORT, SLONG, IFD, LONG8, SLONG8, IFD8. */
const SIZES: Readonly<Record<number, number>> = {
  1: 1,
  3: 2,
  4: 4,
  6: 1,
  8: 2,
  9: 4,
  13: 4,
  16: 8,
  17: 8,
  18: 8,
};

/** TIFF's byte order mark and version, in every pairing that Pillow opens. */
export function isTiff(mark: string): boolean {
  return /^(?:II|MM)(?:\*\0|\0\*|\0\+)$|^II\+\0$/.test(mark);
}

/**
 * Reads the first directory of the TIFF structure at `base`.
 * @returns undefined if there is no such structure
 * @throws HeadersEnd if the data ends within the directory
 */
export function readTags(bytes: HeaderBytes, base: number): Tags | undefined {
  const mark = bytes.text(base, 4);
  if (!isTiff(mark)) return undefined;
  const isLittle = mark.startsWith("II");
  const isBig = mark.includes("+");
  const wide = isBig ? 8 : 4;
  const wideAt = (at: number) => (isBig ? bytes.u64(at, isLittle) : bytes.u32(at, isLittle));
  const start = base + wideAt(base + wide);
  const entries = isBig ? bytes.u64(start, isLittle) : bytes.u16(start, isLittle);
  const first = start + (isBig ? 8 : 2);
  const length = 4 + 2 * wide;

  /** Where each tag's numbers are: the last of a tag's entries counts. */
  const places = new Map<number, { at: number; type: number; count: number }>();
  for (let index = 0; index < entries; index += 1) {
    const entry = first + index * length;
    const type = bytes.u16(entry + 2, isLittle);
    const size = SIZES[type];
    if (size === undefined) continue;
    const count = wideAt(entry + 4);
    const inline = entry + 4 + wide;
    const at = count * size <= wide ? inline : base + wideAt(inline);
    places.set(bytes.u16(entry, isLittle), { at, type, count });
  }
  return {
    get(tag) {
      const place = places.get(tag);
      if (place === undefined) return undefined;
      const size = SIZES[place.type]!;
      return Array.from({ length: Math.min(place.count, MAX_VALUES) }, (_, index) =>
        integerAt(bytes, place.at + index * size, size, isLittle),
      );
    },
  };
}

function integerAt(bytes: HeaderBytes, at: number, size: number, isLittle: boolean): number {
  if (size === 1) return bytes.u8(at);
  if (size === 2) return bytes.u16(at, isLittle);
  return size === 4 ? bytes.u32(at, isLittle) : bytes.u64(at, isLittle);
}
