import type { ByteTools } from "./byte-tools.ts";

/** Text of a medium in a request: a data: URL, or base64 alone. */
export interface EncodedMedium {
  /** In lower case, without parameters; empty if it is not stated. */
  readonly type: string;
  /** Base64 in ASCII, with its padding. */
  readonly base64: Uint8Array;
  /** Length of the medium itself, in bytes. */
  readonly size: number;
}

/** How many characters of base64 are decoded at once: 48 KiB of bytes, which stay in a processor's cache. */
const PIECE = 64 * 1024;
/** The longest head of a data: URL. */
const LONGEST_HEAD = 256;
const COMMA = 0x2c;
const PAD = 0x3d;

/**
 * Reads a data: URL (RFC 2397), or base64 with nothing in front.
 * @returns undefined for an address that is neither
 */
export function readEncoded(text: Uint8Array): EncodedMedium | undefined {
  const head = ascii.decode(text.subarray(0, LONGEST_HEAD));
  if (!/^\s*data:/i.test(head)) {
    return /^\s*[a-z][a-z\d+.-]*:/i.test(head) ? undefined : encoded("", text);
  }
  const comma = text.subarray(0, LONGEST_HEAD).indexOf(COMMA);
  if (comma < 0) return undefined;
  const [, type = "", parameters = ""] = /^\s*data:([^;,]*)([^,]*)/i.exec(head.slice(0, comma)) ?? [];
  if (!/;\s*base64\s*$/i.test(parameters)) return undefined;
  return encoded(type.trim().toLowerCase(), text.subarray(comma + 1));
}

/** @param base64 in ASCII, with its padding */
export function encoded(type: string, base64: Uint8Array): EncodedMedium {
  return { type, base64, size: Math.floor((lengthOf(base64) * 3) / 4) };
}

/** Characters of base64 without its padding. */
function lengthOf(base64: Uint8Array): number {
  let { length } = base64;
  while (length > 0 && base64.length - length < 2 && base64[length - 1] === PAD) length--;
  return length;
}

/**
 * Whether base64 may be as engines expect it, going by its length and beginning; only reading all of it tells for sure. So
 * a large medium is not searched before, in one go and outside the processor's cache.
 */
export const mayBePlain = (base64: Uint8Array): boolean =>
  base64.length % 4 === 0 && PLAIN.test(ascii.decode(base64.subarray(0, BEGINNING)));

const PLAIN = /^[A-Za-z\d+/]*={0,2}$/;
/** In characters; a line of base64 in mails has 76. */
const BEGINNING = 1024;
const [DASH, UNDERSCORE] = [0x2d, 0x5f];

/**
 * Base64 as RFC 4648 spells it: of some clients, with line breaks, `-` and `_`, or without its padding.
 * @returns undefined if it is none
 */
export function normalized(base64: Uint8Array): Uint8Array | undefined {
  const text = ascii
    .decode(base64)
    .replace(/%2b/gi, "+")
    .replace(/%2f/gi, "/")
    .replace(/%3d/gi, "=")
    .replace(/\s+/g, "")
    .replaceAll("-", "+")
    .replaceAll("_", "/")
    .replace(/=+$/, "");
  if (!/^[A-Za-z\d+/]*$/.test(text) || text.length % 4 === 1) return undefined;
  return encoder.encode(text + "=".repeat((4 - (text.length % 4)) % 4));
}

/** The bytes of a medium, decoded where they are read. */
export class MediumBytes {
  readonly size: number;
  readonly #base64: Uint8Array;
  /** vLLM's list of frames: JPEGs in base64, separated by commas. It is not decoded. */
  readonly #isFrames: boolean;
  readonly #tools: ByteTools;

  constructor({ base64, size, type }: EncodedMedium, tools: ByteTools) {
    this.size = size;
    this.#isFrames = isFrameList(type);
    this.#base64 = base64;
    this.#tools = tools;
  }

  /** At most `length` bytes, fewer at the end. */
  read(from: number, length: number): Uint8Array {
    const count = Math.max(0, Math.min(length, this.size - from));
    if (count === 0) return new Uint8Array(0);
    const start = Math.floor(from / 3);
    const end = Math.ceil((from + count) / 3);
    const into = new Uint8Array((end - start) * 3);
    this.#tools.decodeBase64(this.#base64.subarray(start * 4, end * 4), into);
    const skipped = from - start * 3;
    return into.subarray(skipped, skipped + count);
  }

  /**
   * Passes all bytes on, in pieces, and lets other work go on in between.
   * @param take gets pieces whose buffer is used again
   * @returns whether it is base64 as engines expect it throughout
   */
  async readAll(take: (bytes: Uint8Array) => void): Promise<boolean> {
    if (this.#isFrames) {
      take(this.#base64);
      return true;
    }
    const { indexOf, decodeBase64, nextTurn } = this.#tools;
    const into = new Uint8Array((PIECE / 4) * 3);
    let sinceTurn = 0;
    for (let at = 0; at < this.#base64.length; at += PIECE) {
      const piece = this.#base64.subarray(at, at + PIECE);
      // Decoders take the alphabet for URLs too.
      if (indexOf(piece, DASH, 0) >= 0 || indexOf(piece, UNDERSCORE, 0) >= 0) return false;
      const written = decodeBase64(piece, into);
      if (written !== Math.floor((lengthOf(piece) * 3) / 4)) return false;
      take(into.subarray(0, written));
      sinceTurn += written;
      if (sinceTurn < BYTES_PER_TURN) continue;
      sinceTurn = 0;
      await nextTurn();
    }
    return true;
  }
}

export const isFrameList = (type: string) => type === "video/jpeg";

/** About a millisecond of decoding and hashing. */
const BYTES_PER_TURN = 1024 * 1024;

const ascii = new TextDecoder("latin1");
const encoder = new TextEncoder();
