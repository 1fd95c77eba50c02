import { frameBytes, headBytes, MORE, writeHead } from "./framing.ts";

/** Messages as bytes that leave together, never in part. */
export interface LogEntry {
  readonly parts: readonly Uint8Array[];
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Messages that readers go through each at its own pace: they are written as bytes once, and a reader is a number, that
 * of the entry it wants next. Those that all have read are dropped.
 */
export class MessageLog {
  readonly #entries: LogEntry[] = [];
  /** Number of the first entry that is there. */
  #first = 0;
  #messages = 0;
  #bytes = 0;
  /** Where messages are written now; what is behind `#sealed` is not in an entry yet. */
  #buffer = Buffer.alloc(0);
  #sealed = 0;
  #used = 0;
  #unsealedMessages = 0;

  /** Number of the entry that comes next. */
  get end(): number {
    return this.#first + this.#entries.length;
  }

  /** Messages in entries. */
  get messages(): number {
    return this.#messages;
  }

  /** Bytes in entries. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there are so many bytes outside of entries that one should be made. */
  get isEntryDue(): boolean {
    return this.#used - this.#sealed >= ENTRY_BYTES;
  }

  /** Adds a message; its last frame must not change any more. It is in an entry when `seal` has been called. */
  add(frames: readonly Uint8Array[]): void {
    const last = frames.at(-1)!;
    const isLong = last.length > COPIED_BYTES;
    let bytes = headBytes(last.length) + (isLong ? 0 : last.length);
    for (let index = 0; index < frames.length - 1; index++) bytes += frameBytes(frames[index]!.length);
    if (this.#buffer.length - this.#used < bytes) {
      this.seal();
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, bytes));
      this.#used = this.#sealed = 0;
    }
    let at = this.#used;
    for (let index = 0; index < frames.length - 1; index++) {
      const frame = frames[index]!;
      at = writeHead(this.#buffer, at, frame.length, MORE);
      this.#buffer.set(frame, at);
      at += frame.length;
    }
    at = writeHead(this.#buffer, at, last.length, 0);
    if (!isLong) this.#buffer.set(last, at);
    this.#used = at + (isLong ? 0 : last.length);
    this.#unsealedMessages++;
    if (isLong) this.#append([this.#takeUnsealed(), last]);
  }

  /** Makes an entry of the messages since the last one. */
  seal(): void {
    if (this.#used > this.#sealed) this.#append([this.#takeUnsealed()]);
  }

  /** The entry with this number, which must be there. */
  at(number: number): LogEntry {
    return this.#entries[number - this.#first]!;
  }

  /** Drops the entries before this number. */
  dropBefore(number: number): void {
    if (number <= this.#first) return;
    for (const { messages, bytes } of this.#entries.splice(0, number - this.#first)) {
      this.#messages -= messages;
      this.#bytes -= bytes;
    }
    this.#first = number;
  }

  #takeUnsealed(): Uint8Array {
    const bytes = this.#buffer.subarray(this.#sealed, this.#used);
    this.#sealed = this.#used;
    return bytes;
  }

  #append(parts: Uint8Array[]): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#entries.push({ parts, messages: this.#unsealedMessages, bytes });
    this.#messages += this.#unsealedMessages;
    this.#bytes += bytes;
    this.#unsealedMessages = 0;
  }
}

const BUFFER_BYTES = 64 * 1024;
const ENTRY_BYTES = 32 * 1024;
/** A longer last frame is sent from where it lies: copying it costs more than one more piece in a write. */
const COPIED_BYTES = 16 * 1024;
