import { HeldBytes } from "./held-bytes.ts";

/** Longest extensions on a chunk's size line, in bytes. */
const LONGEST_LINE = 256;
/** Longest trailer section, in bytes. */
const LONGEST_TRAILERS = 16_384;

/** States that end with `-lf` expect the second byte of a line break. */
type State =
  | "size"
  | "blank"
  | "extension"
  | "size-lf"
  | "data"
  | "data-end"
  | "data-lf"
  | "trailer"
  | "trailer-lf"
  | "end-lf";

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

/**
 * Tracks the framing of a chunked body (RFC 9112, section 7.1) that arrives in pieces, at a cost per chunk rather
 * than per byte. The bytes are passed on unchanged, so it accepts only what the strictest client accepts.
 */
export class ChunkTracker {
  /** Whether the last chunk and its trailers have been read. */
  isEnded = false;
  /** Where the last chunk with data ended in the most recent piece; 0 if none did. */
  lastChunkEnd = 0;
  /**
   * Whether every chunk so far has ended at an event boundary of an event stream, and has no extensions.
   */
  isEventByEvent = true;
  #state: State = "size";
  /** Remaining bytes of the current chunk's data. */
  #left = 0;
  #size = 0;
  #lineLength = 0;
  /** Whether the current trailer line is not empty. */
  #hasTrailer = false;
  /** The last four bytes of the data so far. */
  #tail = 0;

  /**
   * Reads the next piece.
   * @param onData called with each run of data, if the caller needs the body itself
   * @returns how many bytes of the piece belong to the body
   * @throws RangeError if it is not valid chunked coding
   */
  push(bytes: Uint8Array, onData?: (from: number, to: number) => void): number {
    const { length } = bytes;
    this.lastChunkEnd = 0;
    let at = 0;
    while (at < length && !this.isEnded) {
      if (this.#state === "data") {
        const take = Math.min(this.#left, length - at);
        onData?.(at, at + take);
        this.#remember(bytes, at, take);
        at += take;
        this.#left -= take;
        if (this.#left === 0) this.#endData();
      } else {
        const wasAtDataEnd = this.#state === "data-lf";
        this.#readFraming(bytes[at++]!);
        if (wasAtDataEnd) this.lastChunkEnd = at;
      }
    }
    return at;
  }

  #readFraming(byte: number): void {
    switch (this.#state) {
      case "size":
        this.#readSize(byte);
        break;
      case "blank":
        if (byte === SEMICOLON) this.#state = "extension";
        else if (!isBlank(byte) || ++this.#lineLength > LONGEST_LINE) throw malformed();
        break;
      case "extension":
        if (byte === CR) this.#state = "size-lf";
        else if (isControl(byte) || ++this.#lineLength > LONGEST_LINE) throw malformed();
        break;
      case "data-end":
        if (byte !== CR) throw malformed();
        this.#state = "data-lf";
        break;
      case "trailer":
        this.#readTrailer(byte);
        break;
      default:
        if (byte !== LF) throw malformed();
        this.#endLine();
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      // Thirteen digits are exact in a double.
      if (++this.#lineLength > 13) throw malformed();
    } else if (this.#lineLength === 0) throw malformed();
    else if (byte === CR) this.#state = "size-lf";
    else if (byte === SEMICOLON || isBlank(byte)) {
      // Blanks are only valid before an extension.
      this.#state = byte === SEMICOLON ? "extension" : "blank";
      this.isEventByEvent = false;
    } else throw malformed();
  }

  #beginData(): void {
    this.#lineLength = 0;
    this.#left = this.#size;
    this.#state = this.#size === 0 ? "trailer" : "data";
    this.#size = 0;
  }

  #endData(): void {
    this.#state = "data-end";
    if (!endsEvent(this.#tail)) this.isEventByEvent = false;
  }

  #readTrailer(byte: number): void {
    if (byte === CR) this.#state = this.#hasTrailer ? "trailer-lf" : "end-lf";
    else if (isControl(byte) || ++this.#lineLength > LONGEST_TRAILERS) throw malformed();
    else this.#hasTrailer = true;
  }

  #endLine(): void {
    switch (this.#state) {
      case "size-lf":
        this.#beginData();
        break;
      case "data-lf":
        this.#state = "size";
        break;
      case "trailer-lf":
        this.#state = "trailer";
        this.#hasTrailer = false;
        break;
      default:
        this.isEnded = true;
    }
  }

  #remember(bytes: Uint8Array, at: number, count: number): void {
    const end = at + count;
    for (let index = count > 4 ? end - 4 : at; index < end; index++)
      this.#tail = (this.#tail << 8) | bytes[index]!;
  }
}

const isBlank = (byte: number) => byte === 32 || byte === 9;
const isControl = (byte: number) => (byte < 32 && byte !== 9) || byte === 127;

/** The data of whole chunks, without their framing. */
export function unframed(wire: Uint8Array): Uint8Array {
  const body = new HeldBytes();
  new ChunkTracker().push(wire, (from, to) => body.add(wire.subarray(from, to)));
  return body.takeWith();
}

/** Whether text with these last four bytes ends with an empty line, with any kind of line breaks. */
function endsEvent(tail: number): boolean {
  const last = tail & 0xff;
  if (last !== LF && last !== CR) return false;
  const isPair = last === LF && ((tail >> 8) & 0xff) === CR;
  const before = (isPair ? tail >> 16 : tail >> 8) & 0xff;
  return before === LF || before === CR;
}

/** The value of a hexadecimal digit in ASCII; −1 for another byte. */
export function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

const malformed = () => new RangeError("The body is not in chunked transfer coding.");
