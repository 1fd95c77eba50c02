const NEWLINE = 0x0a;
const RETURN = 0x0d;
const HEAD_END = Buffer.from("\r\n\r\n");
const DONE = "data: [DONE]\n\n";
const SIZE_LINE = /^[0-9a-f]+\r$/i;

/**
 * Reads the streamed answers on one HTTP/1.1 connection, with the minimum of work for a load client: the status, chunk
 * sizes, the number of server-sent events and bytes, and whether the last event is `[DONE]`.
 */
export class AnswerReader {
  /** Events of the current answer. An event's JSON has no raw newlines, so two newlines are its end. */
  get events(): number {
    return this.#newlines >> 1;
  }
  /** Bytes of the current answer's body, without chunk framing. */
  bytes = 0;

  #newlines = 0;
  #inBody = false;
  /** Remaining bytes of the current chunk. */
  #left = 0;
  /** An incomplete head or size line. */
  #rest: Buffer | undefined;
  /** The last bytes of the body so far, as many as in the `[DONE]` event. */
  #tail = "";

  /**
   * Processes received bytes. Requests must not be pipelined.
   * @returns whether the answer is complete
   * @throws Error if the answer is not as expected
   */
  push(arrived: Buffer): boolean {
    const data = this.#rest === undefined ? arrived : Buffer.concat([this.#rest, arrived]);
    this.#rest = undefined;
    let at = 0;
    if (!this.#inBody) {
      at = this.#readHead(data);
      if (at < 0) return false;
    }
    while (at < data.length) {
      if (this.#left > 0) {
        at = this.#readPayload(data, at);
        continue;
      }
      const end = data.indexOf(NEWLINE, at);
      if (end < 0) {
        this.#rest = data.subarray(at);
        return false;
      }
      // A chunk ends with a line break before the next size.
      if (end - at > 1) {
        const line = data.toString("latin1", at, end);
        if (!SIZE_LINE.test(line)) throw new Error("The answer's chunks are malformed.");
        this.#left = Number.parseInt(line, 16);
        if (this.#left === 0) return this.#complete(data, at, end + 1);
      }
      at = end + 1;
    }
    return false;
  }

  /** Starts counting the next answer. */
  reset(): void {
    this.bytes = 0;
    this.#newlines = 0;
    this.#inBody = false;
    this.#tail = "";
  }

  #readHead(data: Buffer): number {
    const end = data.indexOf(HEAD_END);
    if (end < 0) {
      this.#rest = data;
      return -1;
    }
    const head = data.toString("latin1", 0, end);
    if (!head.startsWith("HTTP/1.1 200 ")) throw new Error(`The answer is ${head.split("\r\n", 1)[0]}.`);
    if (!/\r\ntransfer-encoding: chunked/i.test(head)) throw new Error("The answer is not in chunks.");
    this.#inBody = true;
    return end + HEAD_END.length;
  }

  #readPayload(data: Buffer, start: number): number {
    const end = Math.min(start + this.#left, data.length);
    for (let at = data.indexOf(NEWLINE, start); at >= 0 && at < end; at = data.indexOf(NEWLINE, at + 1)) {
      this.#newlines++;
    }
    this.bytes += end - start;
    this.#left -= end - start;
    const tail = data.toString("latin1", Math.max(start, end - DONE.length), end);
    this.#tail = tail.length === DONE.length ? tail : (this.#tail + tail).slice(-DONE.length);
    return end;
  }

  #complete(data: Buffer, lineStart: number, at: number): boolean {
    if (data.length < at + 2) {
      this.#rest = data.subarray(lineStart);
      return false;
    }
    if (data[at] !== RETURN || data.length > at + 2) throw new Error("Bytes came after the answer's end.");
    if (this.#tail !== DONE) throw new Error("The answer's last event is not [DONE].");
    return true;
  }
}
