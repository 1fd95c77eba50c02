const NOTHING = new Uint8Array(0);

/** Bytes that wait for more, kept as they come and put together once. */
export class HeldBytes {
  length = 0;
  #parts: Uint8Array[] = [];

  /** Keeps a copy: the piece's memory may be used again. */
  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    // Not `slice`, which of Node's buffers makes a view.
    this.#parts.push(new Uint8Array(bytes));
    this.length += bytes.length;
  }

  /** All that is held with `last` behind it; `last` itself where nothing is. Nothing is held afterwards. */
  takeWith(last: Uint8Array = NOTHING): Uint8Array {
    if (this.length === 0) return last;
    const all = new Uint8Array(this.length + last.length);
    let offset = 0;
    for (const part of this.#parts) {
      all.set(part, offset);
      offset += part.length;
    }
    all.set(last, offset);
    this.clear();
    return all;
  }

  clear(): void {
    this.#parts = [];
    this.length = 0;
  }
}
