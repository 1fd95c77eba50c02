/** Bytes that have come in pieces, to be taken in other ones. */
export class ByteQueue {
  readonly #pieces: Buffer[] = [];
  #length = 0;
  /** Bytes of the first piece that have been taken. */
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

  /** The byte at this place, which must be there. */
  at(index: number): number {
    let place = index + this.#taken;
    for (const piece of this.#pieces) {
      if (place < piece.length) return piece[place]!;
      place -= piece.length;
    }
    throw new RangeError("There are not so many bytes.");
  }

  /** The first bytes; so many must be there. Not copied where they came in one piece. */
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

/** Pieces are joined up to this length: kept each for itself, single bytes would take a hundred times their size. */
const SMALL = 4_096;
