const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const CLOSING_BRACE = 0x7d;
const DATA = bytesOf("data:");
const OBJECT = bytesOf('{"');
const ERROR_KEY = bytesOf('{"error"');
const DONE = bytesOf("[DONE]");
const OTHER_FIELDS = [bytesOf("event:"), bytesOf("id:"), bytesOf("retry:")];
/** Hexadecimal digits of a chunk's size. */
const LONGEST_SIZE = 8;

/**
 * What a piece of an answer's event stream looks like: whole events of JSON objects, with or without HTTP's chunks
 * around them. Looks at the ends of each line and nothing between them.
 */
export function inspectEvents(wire: Uint8Array): "sound" | "an error" | "garbage" {
  for (let start = 0; start < wire.length; ) {
    const feed = endOfLine(wire, start);
    if (feed < 0) return "garbage";
    const end = feed > start && wire[feed - 1] === CR ? feed - 1 : feed;
    if (end > start) {
      if (!startsAt(wire, start, DATA)) {
        if (!isOtherLine(wire, start, end)) return "garbage";
      } else {
        const value = start + DATA.length + (wire[start + DATA.length] === SPACE ? 1 : 0);
        if (startsAt(wire, value, ERROR_KEY)) return "an error";
        const isObject = startsAt(wire, value, OBJECT) && wire[end - 1] === CLOSING_BRACE;
        if (!isObject && !startsAt(wire, value, DONE)) return "garbage";
      }
    }
    start = feed + 1;
  }
  return "sound";
}

/** Where the line's LF is; −1 where it has none. Most lines are empty or a chunk's size: those need no call. */
function endOfLine(wire: Uint8Array, start: number): number {
  const near = Math.min(start + LONGEST_SIZE, wire.length);
  for (let index = start; index < near; index++) if (wire[index] === LF) return index;
  return wire.indexOf(LF, near);
}

/** A chunk's size, a comment, or a field that is not the data. */
function isOtherLine(wire: Uint8Array, start: number, end: number): boolean {
  if (wire[start] === COLON || isSize(wire, start, end)) return true;
  for (const field of OTHER_FIELDS) if (startsAt(wire, start, field)) return true;
  return false;
}

function isSize(wire: Uint8Array, start: number, end: number): boolean {
  if (end - start > LONGEST_SIZE) return false;
  for (let index = start; index < end; index++) if (!isHexDigit(wire[index]!)) return false;
  return true;
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}

function startsAt(wire: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) if (wire[at + index] !== bytes[index]) return false;
  return true;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
