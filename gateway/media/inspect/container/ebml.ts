import { type HeaderBytes, HeadersEnd } from "../bytes.ts";

/** An element of EBML (RFC 8794), as Matroska and WebM have them. */
export interface Element {
  /** With its length marker, as the specifications write it. */
  readonly id: number;
  readonly body: number;
  /** Offset after it; the end of its parent if its size is unknown. */
  readonly end: number;
  readonly hasSize: boolean;
}

/** Most elements that are looked at on one level. */
const MAX_ELEMENTS = 4_096;

/** The elements between two offsets; none after one of unknown size. */
export function* elementsIn(bytes: HeaderBytes, from: number, to: number): Generator<Element> {
  let at = from;
  for (let index = 0; index < MAX_ELEMENTS && at < to && bytes.has(at, 2); index += 1) {
    const element = elementAt(bytes, at, to);
    yield element;
    if (!element.hasSize) return;
    at = element.end;
  }
}

/** @throws HeadersEnd also where no element can start */
export function elementAt(bytes: HeaderBytes, at: number, to: number): Element {
  const idLength = numberLength(bytes.u8(at));
  if (idLength > 4) throw new HeadersEnd();
  let id = 0;
  for (let index = 0; index < idLength; index += 1) id = id * 256 + bytes.u8(at + index);
  const sizeAt = at + idLength;
  const first = bytes.u8(sizeAt);
  const sizeLength = numberLength(first);
  const mask = 2 ** (8 - sizeLength) - 1;
  let size = first & mask;
  let isUnknown = size === mask;
  for (let index = 1; index < sizeLength; index += 1) {
    const byte = bytes.u8(sizeAt + index);
    size = size * 256 + byte;
    isUnknown &&= byte === 0xff;
  }
  const body = sizeAt + sizeLength;
  return { id, body, end: isUnknown ? to : body + size, hasSize: !isUnknown };
}

/** Bytes of a number, by its first byte. */
function numberLength(first: number): number {
  if (first === 0) throw new HeadersEnd();
  return Math.clz32(first) - 23;
}

/** An unsigned integer of 0 to 8 bytes. */
export function unsigned(bytes: HeaderBytes, { body, end }: Element): number {
  const length = Math.min(end - body, 8);
  let value = 0;
  for (let index = 0; index < length; index += 1) value = value * 256 + bytes.u8(body + index);
  return value;
}

/** A float of 4 or 8 bytes; 0 for no bytes. */
export function float(bytes: HeaderBytes, { body, end }: Element): number {
  if (end - body === 4) return bytes.f32(body);
  return end - body === 8 ? bytes.f64(body) : 0;
}

/** ASCII text without the zeros that may pad it; at most 64 bytes. */
export function text(bytes: HeaderBytes, { body, end }: Element): string {
  return bytes.text(body, Math.min(end - body, 64)).replace(/\0.*$/s, "");
}
