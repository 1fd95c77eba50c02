const SLAB_BYTES = 16 * 1024;

/** The bytes of an answer that the client has been sent, kept as they are and read only if the answer breaks off. */
export class SentBytes {
  readonly #limit: number;
  #slabs: Uint8Array[] = [];
  /** Bytes in use of the last slab. */
  #used = SLAB_BYTES;
  #length = 0;
  #isTooLong = false;

  /** @param limit bytes beyond which nothing is kept */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether all that was appended is still here. */
  get isWhole(): boolean {
    return !this.#isTooLong;
  }

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array): void {
    if (this.#isTooLong) return;
    this.#length += bytes.length;
    if (this.#length > this.#limit) {
      this.#isTooLong = true;
      this.#slabs = [];
      return;
    }
    let from = 0;
    while (from < bytes.length) {
      if (this.#used === SLAB_BYTES) {
        this.#slabs.push(new Uint8Array(SLAB_BYTES));
        this.#used = 0;
      }
      const count = Math.min(bytes.length - from, SLAB_BYTES - this.#used);
      const part = from === 0 && count === bytes.length ? bytes : bytes.subarray(from, from + count);
      this.#slabs.at(-1)!.set(part, this.#used);
      this.#used += count;
      from += count;
    }
  }

  /** All of it, in one piece. */
  read(): Uint8Array {
    const all = new Uint8Array(this.#isTooLong ? 0 : this.#length);
    for (const [index, slab] of this.#slabs.entries()) {
      const offset = index * SLAB_BYTES;
      all.set(slab.subarray(0, Math.min(SLAB_BYTES, all.length - offset)), offset);
    }
    return all;
  }

  /** The last bytes, as text of one character a byte. */
  tail(count: number): string {
    if (this.#isTooLong || this.#slabs.length === 0) return "";
    const last = latin1(this.#slabs.at(-1)!.subarray(Math.max(0, this.#used - count), this.#used));
    const before = this.#slabs.at(-2);
    return last.length >= count || before === undefined
      ? last
      : latin1(before.subarray(last.length - count)) + last;
  }
}

export function latin1(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder("latin1");
