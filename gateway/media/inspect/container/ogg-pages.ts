import type { HeaderBytes } from "../bytes.ts";

/** A page of Ogg (RFC 3533, section 6). */
export interface Page {
  /** Whether it begins a stream. */
  readonly isFirst: boolean;
  readonly serial: number;
  /** The codec's position after it; undefined if no packet ends in it. */
  readonly granule: number | undefined;
  /** Offset of its data. */
  readonly body: number;
  readonly end: number;
}

/** Most pages that are looked at from one offset on. */
const MAX_PAGES = 512;

export function* pagesFrom(bytes: HeaderBytes, from: number): Generator<Page> {
  let at = from;
  for (let index = 0; index < MAX_PAGES; index += 1) {
    const page = pageAt(bytes, at);
    if (page === undefined) return;
    yield page;
    at = page.end;
  }
}

/** The first bytes of a page's data, as Latin-1. */
export function packetAt(bytes: HeaderBytes, body: number): string {
  return String.fromCharCode(...bytes.upTo(body, 8));
}

/** How far from the end the last page is looked for: a page has at most 65,307 bytes. */
const TAIL = 131_072;

/** The position after a stream's last page; undefined if it is not found near the end. */
export function lastGranule(bytes: HeaderBytes, serial: number): number | undefined {
  const from = Math.max(0, bytes.size - TAIL);
  const tail = new TextDecoder("latin1").decode(bytes.upTo(from, TAIL));
  for (let at = tail.lastIndexOf("OggS"); at >= 0; at = at === 0 ? -1 : tail.lastIndexOf("OggS", at - 1)) {
    const page = pageAt(bytes, from + at);
    if (page?.serial === serial && page.granule !== undefined) return page.granule;
  }
  return undefined;
}

function pageAt(bytes: HeaderBytes, at: number): Page | undefined {
  if (!bytes.has(at, 27) || bytes.text(at, 4) !== "OggS" || bytes.u8(at + 4) !== 0) return undefined;
  const segments = bytes.u8(at + 26);
  if (!bytes.has(at + 27, segments)) return undefined;
  const length = bytes.slice(at + 27, segments).reduce((sum, segment) => sum + segment, 0);
  const body = at + 27 + segments;
  const granule = bytes.u64(at + 6, true);
  return {
    isFirst: (bytes.u8(at + 5) & 2) !== 0,
    serial: bytes.u32(at + 14, true),
    // -1, and other negative positions, which have no meaning.
    granule: granule >= 2 ** 63 ? undefined : granule,
    body,
    end: body + length,
  };
}
