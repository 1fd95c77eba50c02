/** A queue of bytes that arrive and leave in pieces of different sizes. */
export class ByteQueue {
  readonly #pieces: Buffer[] = [];
  #length = 0;
  /** Bytes already taken from the first piece. */
  #taken = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#length += bytes.length;
    const last = this.#pieces.at(-1);
    if (last === undefined || last.length + bytes.length > SMALL) this.#pieces.push(bytes);
    else this.#pieces[this.#pieces.length - 1] = Buffer.concat([last, bytes]);
  }

  /** The byte at this index, which must exist. */
  at(index: number): number {
    let place = index + this.#taken;
    for (const piece of this.#pieces) {
      if (place < piece.length) return piece[place]!;
      place -= piece.length;
    }
    throw new RangeError("The queue has fewer bytes.");
  }

  /** Takes the first bytes, which must exist; copies them only if they span pieces. */
  take(count: number): Buffer {
    const [first] = this.#pieces;
    if (first !== undefined && first.length - this.#taken >= count) {
      const bytes = first.subarray(this.#taken, this.#taken + count);
      this.#drop(count);
      return bytes;
    }
    const bytes = Buffer.allocUnsafe(count);
    let filled = 0;
    while (filled < count) {
      const piece = this.#pieces[0]!;
      const part = piece.subarray(this.#taken, this.#taken + count - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#drop(part.length);
    }
    return bytes;
  }

  #drop(count: number): void {
    this.#length -= count;
    this.#taken += count;
    if (this.#taken < (this.#pieces[0]?.length ?? 0)) return;
    this.#pieces.shift();
    this.#taken = 0;
  }
}

/** Pieces are joined up to this length: separately, single bytes would take a hundred times their size. */
const SMALL = 4_096;
