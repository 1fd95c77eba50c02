import { headBytes, putUint32 } from "./frame.ts";
import type { Pipe } from "./pipe.ts";

/**
 * Gathers frames into one buffer, which is written at the end of the event loop's turn.
 *
 * The turn ends at `setImmediate`, not at a microtask: an engine step wakes many calls, each through its own promises,
 * and a microtask would run between them and write for each. The check phase follows directly after the callbacks of the
 * current poll phase, so an idle process still sends within microseconds.
 */
export class FrameWriter {
  readonly #pipe: Pipe;
  readonly #spare: OutBuffer[] = [];
  #buffer: OutBuffer | undefined;
  #used = 0;
  #scheduled = false;
  readonly #flushLater = () => {
    this.#scheduled = false;
    this.flush();
  };

  constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** Adds a frame whose payload is `first` followed by `second`; both are copied. */
  frame(type: number, stream: number, first: Uint8Array = empty, second: Uint8Array = empty): void {
    const length = first.length + second.length;
    if (this.#used + headBytes + length > bufferBytes) {
      this.flush();
    }
    if (headBytes + length > bufferBytes) {
      this.#large(type, stream, first, second);
      return;
    }
    this.#buffer ??= this.#spare.pop() ?? new OutBuffer(this.#spare);
    const at = this.#used;
    put(this.#buffer.bytes, at, type, stream, first, second);
    this.#used = at + headBytes + length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flushLater);
  }

  /** Writes the gathered frames. */
  flush(): void {
    const buffer = this.#buffer;
    if (!buffer) return;
    this.#buffer = undefined;
    const used = this.#used;
    this.#used = 0;
    this.#pipe.write(buffer.bytes.subarray(0, used), buffer.done);
  }

  #large(type: number, stream: number, first: Uint8Array, second: Uint8Array): void {
    const bytes = new Uint8Array(headBytes + first.length + second.length);
    put(bytes, 0, type, stream, first, second);
    this.#pipe.write(bytes, () => {});
  }
}

/** A buffer that its writer reuses once it has been written. */
class OutBuffer {
  readonly bytes = new Uint8Array(bufferBytes);
  readonly done: () => void;

  constructor(spare: OutBuffer[]) {
    this.done = () => {
      if (spare.length < maxSpare) spare.push(this);
    };
  }
}

const bufferBytes = 64 * 1024;
const maxSpare = 2;
const empty = new Uint8Array(0);

function put(
  bytes: Uint8Array,
  at: number,
  type: number,
  stream: number,
  first: Uint8Array,
  second: Uint8Array,
): void {
  putUint32(bytes, at, first.length + second.length);
  bytes[at + 4] = type;
  putUint32(bytes, at + 5, stream);
  bytes.set(first, at + headBytes);
  if (second.length > 0) bytes.set(second, at + headBytes + first.length);
}
