import { headBytes, uint32 } from "./frame.ts";
import { PlaneError } from "./types.ts";

export interface FrameSink {
  /** One frame; `payload` is a view that is only valid during the callback. */
  onFrame(type: number, stream: number, payload: Uint8Array): void;
}

/**
 * Splits a stream of bytes into frames. A frame within one chunk is passed on as a view; only frames that span chunks
 * are copied.
 */
export class FrameParser {
  /** Longest accepted payload in bytes. */
  limit: number;
  readonly #sink: FrameSink;
  #stopped = false;
  /** The beginning of an incomplete frame, in the first `#held` bytes. */
  #partial = empty;
  #held = 0;

  constructor(sink: FrameSink, limit: number) {
    this.#sink = sink;
    this.limit = limit;
  }

  /**
   * Parses the next bytes and calls the sink for every completed frame.
   *
   * @throws PlaneError `invalid_request` if a frame is longer than the limit
   */
  push(chunk: Uint8Array): void {
    if (this.#stopped) return;
    let at = this.#held > 0 ? this.#complete(chunk) : 0;
    while (!this.#stopped && chunk.length - at >= headBytes) {
      const end = at + headBytes + this.#length(chunk, at);
      if (end > chunk.length) break;
      this.#emit(chunk, at, end);
      at = end;
    }
    if (!this.#stopped && at < chunk.length) this.#hold(chunk, at, chunk.length);
  }

  /** Delivers no more frames, not even from the current chunk. */
  stop(): void {
    this.#stopped = true;
    this.#partial = empty;
  }

  /** Continues the held frame; returns the offset in the chunk where it ends. */
  #complete(chunk: Uint8Array): number {
    let at = 0;
    if (this.#held < headBytes) {
      at = Math.min(headBytes - this.#held, chunk.length);
      this.#hold(chunk, 0, at);
      if (this.#held < headBytes) return at;
    }
    const total = headBytes + this.#length(this.#partial, 0);
    const end = Math.min(at + total - this.#held, chunk.length);
    this.#hold(chunk, at, end);
    if (this.#held < total) return end;
    const partial = this.#partial;
    this.#held = 0;
    if (partial.length > keptBytes) this.#partial = empty;
    this.#emit(partial, 0, total);
    return end;
  }

  /** Doubles the buffer as bytes arrive, instead of trusting a frame's declared length. */
  #hold(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#held + end - start;
    if (needed > this.#partial.length) {
      const larger = new Uint8Array(Math.max(needed, this.#partial.length * 2, 1024));
      larger.set(this.#partial.subarray(0, this.#held));
      this.#partial = larger;
    }
    this.#partial.set(chunk.subarray(start, end), this.#held);
    this.#held = needed;
  }

  #length(bytes: Uint8Array, at: number): number {
    const length = uint32(bytes, at);
    if (length <= this.limit) return length;
    throw new PlaneError(
      "invalid_request",
      `A frame of ${length} bytes was received; at most ${this.limit} are allowed.`,
    );
  }

  #emit(bytes: Uint8Array, at: number, end: number): void {
    const start = at + headBytes;
    const payload =
      start === end ? empty : new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
    this.#sink.onFrame(bytes[at + 4] as number, uint32(bytes, at + 5), payload);
  }
}

const empty = new Uint8Array(0);
/** A larger buffer is released after use. */
const keptBytes = 1024 * 1024;
