import { headBytes, uint32 } from "./frame.ts";
import { PlaneError } from "./types.ts";

export interface FrameSink {
  /** One frame; `payload` is a view that is only valid during the callback. */
  onFrame(type: number, stream: number, payload: Uint8Array): void;
}

/**
 * Cuts a stream of bytes into frames. A frame that lies whole in a chunk is passed on as a view of the chunk;
 * only one that spans chunks is copied.
 */
export class FrameParser {
  /** Longest payload that is taken, in bytes. */
  limit: number;
  readonly #sink: FrameSink;
  #stopped = false;
  /** The beginning of a frame whose rest has not come; the first `#held` bytes count. */
  #partial = empty;
  #held = 0;

  constructor(sink: FrameSink, limit: number) {
    this.#sink = sink;
    this.limit = limit;
  }

  /**
   * Takes the next bytes and calls the sink for every frame that they complete.
   *
   * @throws PlaneError `invalid_request` where a frame is longer than the limit
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

  /** Passes on nothing more, not even from the chunk in hand. */
  stop(): void {
    this.#stopped = true;
    this.#partial = empty;
  }

  /** Goes on with the held frame; returns where in the chunk it ends. */
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

  /** Doubles the room as bytes arrive, rather than trust the length that a frame claims. */
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
      `A frame of ${length} bytes came; at most ${this.limit} are taken.`,
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
/** A larger room is given back after use. */
const keptBytes = 1024 * 1024;
