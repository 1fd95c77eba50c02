/** Longest event that is held until it is complete, in bytes. */
export const LONGEST_EVENT = 64 * 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Scans an event stream (WHATWG HTML, section 9.2.6) that arrives in arbitrary pieces, and reports how much of it can
 * be passed on: up to the end of an event, or of a comment line between two events. Lines end with LF, CR or CRLF,
 * and the stream may start with a byte order mark.
 */
export class EventBoundary {
  /** Whether there has been a field since the last empty line. */
  #isInEvent = false;
  /** The kind of the current line, as far as it has been read. */
  #line: "empty" | "comment" | "field" = "empty";
  /** Whether the last byte was a CR; an LF right after it belongs to the same line end. */
  #isBehindCr = false;
  /** Bytes of the byte order mark read so far; its full length if the stream started without one. */
  #markBytes = 0;

  /** @returns how many bytes of the piece can be passed on; 0 if nothing ends in it */
  push(bytes: Uint8Array): number {
    let at = this.#skipMark(bytes);
    let passed = 0;
    if (this.#isBehindCr && at < bytes.length) {
      this.#isBehindCr = false;
      if (bytes[at] === LF) at++;
      if (!this.#isInEvent) passed = at;
    }
    let lf = bytes.indexOf(LF, at);
    let cr = bytes.indexOf(CR, at);
    while (at < bytes.length) {
      const end = lf < 0 ? cr : cr < 0 ? lf : Math.min(lf, cr);
      if (this.#line === "empty" && end !== at) this.#line = bytes[at] === COLON ? "comment" : "field";
      if (this.#line === "field") this.#isInEvent = true;
      if (end < 0) break;
      at = end + 1;
      if (end === cr) {
        if (bytes[at] === LF) at++;
        else this.#isBehindCr = at === bytes.length;
      }
      if (this.#line === "empty") this.#isInEvent = false;
      if (!this.#isInEvent) passed = at;
      this.#line = "empty";
      if (lf >= 0 && lf < at) lf = bytes.indexOf(LF, at);
      if (cr >= 0 && cr < at) cr = bytes.indexOf(CR, at);
    }
    return passed;
  }

  #skipMark(bytes: Uint8Array): number {
    let at = 0;
    while (this.#markBytes < BYTE_ORDER_MARK.length && at < bytes.length) {
      if (bytes[at] === BYTE_ORDER_MARK[this.#markBytes]) {
        this.#markBytes++;
        at++;
      } else this.#markBytes = BYTE_ORDER_MARK.length;
    }
    return at;
  }
}
