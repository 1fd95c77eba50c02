import { latin1 } from "./sent-bytes.ts";

/** Bytes before an event: a chunk's size, and line ends. */
const LONGEST_PREFIX = 24;

const COLON = 0x3a;
const LETTER_D = 0x64;
const LETTER_E = 0x65;
const LETTER_I = 0x69;
const LETTER_R = 0x72;
const NEW_LINE = 0x0a;
const DATA = bytesOf("data:");
const OPENING_BRACE = 0x7b;
const OPENING_BRACKET = 0x5b;
const SPACE = 0x20;
const ERROR_KEY = bytesOf('{"error"');

/**
 * What the first event of a piece of an answer's stream looks like, from its first bytes alone, so that the look costs
 * next to nothing. Of a piece in which several events came at once, errors are looked for in all of it.
 */
export function inspectEvents(wire: Uint8Array, pieces: number): "sound" | "an error" | "garbage" {
  if (pieces > 1 && /data: ?\{"error"/.test(latin1(wire))) return "an error";
  const at = firstFieldAt(wire);
  if (at < 0) return "sound";
  const first = wire[at];
  // A comment, or a field other than the data.
  if (first === COLON || first === LETTER_E || first === LETTER_I || first === LETTER_R) return "sound";
  if (!startsAt(wire, at, DATA)) return "garbage";
  const value = at + DATA.length + (wire[at + DATA.length] === SPACE ? 1 : 0);
  if (startsAt(wire, value, ERROR_KEY)) return "an error";
  return wire[value] === OPENING_BRACE || wire[value] === OPENING_BRACKET ? "sound" : "garbage";
}

/** Where the first event's first field begins: behind the chunk's size, if there is one; −1 where none is near. */
function firstFieldAt(wire: Uint8Array): number {
  if (wire[0] === LETTER_D && startsAt(wire, 0, DATA)) return 0;
  const end = Math.min(wire.length, LONGEST_PREFIX);
  for (let index = 0; index < end; index++)
    if (wire[index] === NEW_LINE) return index + 1 < wire.length ? index + 1 : -1;
  return wire.length > LONGEST_PREFIX ? 0 : -1;
}

function startsAt(wire: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) if (wire[at + index] !== bytes[index]) return false;
  return true;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
