const NOTHING = new Uint8Array(0);

/** Bytes held until more arrive: collected piece by piece, concatenated once. */
export class HeldBytes {
  length = 0;
  #parts: Uint8Array[] = [];

  /** Copies the piece, whose memory may be reused. */
  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    // Not `slice`: on Node's buffers that returns a view.
    this.#parts.push(new Uint8Array(bytes));
    this.length += bytes.length;
  }

  /** Everything held, followed by `last` (or `last` itself if nothing is held), and forgets it. */
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
