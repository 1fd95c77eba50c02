import { frameBytes, frameHeadBytes, MORE, writeHead } from "./framing.ts";

/** Serialised messages that are sent together or not at all. */
export interface LogEntry {
  readonly parts: readonly Uint8Array[];
  readonly messages: number;
  readonly bytes: number;
}

/**
 * A log of messages that readers consume at their own pace. Messages are serialised once, and a reader is the number of
 * the entry it needs next. Entries that all have read are dropped.
 */
export class MessageLog {
  readonly #entries: LogEntry[] = [];
  /** Number of the first entry. */
  #first = 0;
  #messages = 0;
  #bytes = 0;
  /** The current write buffer; bytes after `#sealed` are not in an entry yet. */
  #buffer = Buffer.alloc(0);
  #sealed = 0;
  #used = 0;
  #unsealedMessages = 0;

  /** Number of the next entry. */
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

  /** Whether enough bytes are outside of entries to seal one. */
  get isEntryDue(): boolean {
    return this.#used - this.#sealed >= ENTRY_BYTES;
  }

  /** Adds a message, whose last frame must not change afterwards. `seal` puts it into an entry. */
  add(frames: readonly Uint8Array[]): void {
    const last = frames.at(-1)!;
    const isLong = last.length > COPIED_BYTES;
    let bytes = frameHeadBytes(last.length) + (isLong ? 0 : last.length);
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

  /** Creates an entry from the messages since the last one. */
  seal(): void {
    if (this.#used > this.#sealed) this.#append([this.#takeUnsealed()]);
  }

  /** The entry with this number, which must exist. */
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
/** A longer last frame is not copied: a copy costs more than one more piece in a write. */
const COPIED_BYTES = 16 * 1024;
