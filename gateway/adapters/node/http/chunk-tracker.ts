/** What the longest line before a chunk may be: 16 hex digits and extensions. */
const LONGEST_LINE = 256;
/** Of the lines behind the last chunk together, in bytes. */
const LONGEST_TRAILERS = 16_384;

/** What ends with `-lf` waits for the second byte of a line's end. */
type State =
  | "size"
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
 * Follows the framing of a chunked body (RFC 9112, section 7.1) through the pieces in which it comes, at a cost for
 * each chunk and none for each byte. It changes nothing: the bytes go on as they came. So it takes nothing but what
 * the strictest client takes too.
 */
export class ChunkTracker {
  /** Whether the last chunk and what may follow it have been seen. */
  isEnded = false;
  /** Chunks that have ended, the last (empty) one among them. */
  chunks = 0;
  /** Where in the piece pushed last the last chunk ended that also ended an event; −1 where none did. */
  lastEventEnd = -1;
  /** Chunks up to there. */
  chunksAtEventEnd = 0;
  #state: State = "size";
  /** Bytes of data that the current chunk still has. */
  #left = 0;
  #size = 0;
  #lineLength = 0;
  /** Whether the current trailer line has anything in it. */
  #hasTrailer = false;
  /** The last four bytes of the data so far. */
  #tail = 0;

  /** Whether everything up to here is whole chunks. */
  get isBetweenChunks(): boolean {
    return this.#state === "size" && this.#lineLength === 0;
  }

  /** Whether the data so far ends with an empty line, as an event of an event stream does. */
  get endsEvent(): boolean {
    return (this.#tail & 0xffff) === 0x0a0a || this.#tail === 0x0d0a0d0a;
  }

  /**
   * Goes over the next piece.
   * @param onData called with each run of data, for a caller that wants the body itself
   * @returns where the body ends in it: its length, less what comes behind the end
   * @throws RangeError where it is not chunked coding
   */
  push(bytes: Uint8Array, onData?: (from: number, to: number) => void): number {
    const { length } = bytes;
    this.lastEventEnd = -1;
    let at = 0;
    while (at < length && !this.isEnded) {
      if (this.#state === "data") {
        const take = Math.min(this.#left, length - at);
        onData?.(at, at + take);
        this.#remember(bytes, at, take);
        at += take;
        this.#left -= take;
        if (this.#left === 0) this.#state = "data-end";
      } else {
        const wasAtDataEnd = this.#state === "data-lf";
        this.#readFraming(bytes[at++]!);
        if (wasAtDataEnd && this.isBetweenChunks && this.endsEvent) {
          this.lastEventEnd = at;
          this.chunksAtEventEnd = this.chunks;
        }
      }
    }
    return at;
  }

  #readFraming(byte: number): void {
    switch (this.#state) {
      case "size":
        this.#readSize(byte);
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
      // Thirteen digits stay exact in a double.
      if (++this.#lineLength > 13) throw malformed();
    } else if (this.#lineLength === 0) throw malformed();
    else if (byte === CR) this.#state = "size-lf";
    else if (byte === SEMICOLON) this.#state = "extension";
    else throw malformed();
  }

  #beginData(): void {
    this.#lineLength = 0;
    this.#left = this.#size;
    this.#state = this.#size === 0 ? "trailer" : "data";
    this.#size = 0;
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
        this.chunks++;
        break;
      case "trailer-lf":
        this.#state = "trailer";
        this.#hasTrailer = false;
        break;
      default:
        this.isEnded = true;
        this.chunks++;
    }
  }

  #remember(bytes: Uint8Array, at: number, count: number): void {
    const end = at + count;
    for (let index = count > 4 ? end - 4 : at; index < end; index++)
      this.#tail = (this.#tail << 8) | bytes[index]!;
  }
}

const isControl = (byte: number) => (byte < 32 && byte !== 9) || byte === 127;

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

const malformed = () => new RangeError("The body is not in chunked transfer coding.");
