import { unframed } from "../../wire/chunk-tracker.ts";
import { HeldBytes } from "../../wire/held-bytes.ts";

const SLAB_BYTES = 16 * 1024;
/** Slabs of ended answers, which are reused to save garbage collection. */
const freeSlabs: Uint8Array[] = [];
const MOST_FREE_SLABS = 512;

/**
 * A copy of the bytes sent to the client, which is parsed only if the answer breaks off. Of a long answer, only the
 * last part is kept.
 */
export class SentBytes {
  readonly #limit: number;
  #slabs: Uint8Array[] = [];
  /** Bytes used in the last slab. */
  #used = SLAB_BYTES;
  #length = 0;
  /** How many bytes at the start are in HTTP chunks; undefined if all are. */
  #framedBytes: number | undefined;

  /** @param limit longest answer in bytes that is kept completely */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether all appended bytes are still kept. */
  get isWhole(): boolean {
    return this.#length <= this.#limit;
  }

  /** @param isFramed whether the bytes are HTTP chunks; once a piece is unframed, all later ones are */
  append(bytes: Uint8Array, isFramed: boolean): void {
    if (!isFramed) this.#framedBytes ??= this.#length;
    this.#length += bytes.length;
    let from = 0;
    while (from < bytes.length) {
      if (this.#used === SLAB_BYTES) {
        this.#slabs.push(this.#nextSlab());
        this.#used = 0;
      }
      const count = Math.min(bytes.length - from, SLAB_BYTES - this.#used);
      const part = from === 0 && count === bytes.length ? bytes : bytes.subarray(from, from + count);
      this.#slabs.at(-1)!.set(part, this.#used);
      this.#used += count;
      from += count;
    }
  }

  /** All bytes, without HTTP chunk framing; empty if some were dropped. */
  read(): Uint8Array {
    if (!this.isWhole) return new Uint8Array(0);
    const all = new Uint8Array(this.#length);
    for (const [index, slab] of this.#slabs.entries()) {
      const offset = index * SLAB_BYTES;
      all.set(slab.subarray(0, Math.min(SLAB_BYTES, all.length - offset)), offset);
    }
    const { length } = all;
    const framed = all.subarray(0, this.#framedBytes ?? length);
    if (framed.length === 0) return all;
    const body = new HeldBytes();
    body.add(unframed(framed));
    return body.takeWith(all.subarray(framed.length));
  }

  /** The last bytes, as Latin-1 text. @param count at most the size of a slab */
  tail(count: number): string {
    if (this.#slabs.length === 0) return "";
    const last = latin1(this.#slabs.at(-1)!.subarray(Math.max(0, this.#used - count), this.#used));
    const before = this.#slabs.at(-2);
    return last.length >= count || before === undefined
      ? last
      : latin1(before.subarray(last.length - count)) + last;
  }

  /** Drops all bytes. */
  release(): void {
    free(this.#slabs.splice(0));
    this.#used = SLAB_BYTES;
    this.#length = 0;
    this.#framedBytes = undefined;
  }

  #nextSlab(): Uint8Array {
    // The tail needs only the current slab and the one before it.
    if (!this.isWhole && this.#slabs.length > 1) free(this.#slabs.splice(0, this.#slabs.length - 1));
    return freeSlabs.pop() ?? new Uint8Array(SLAB_BYTES);
  }
}

function free(slabs: readonly Uint8Array[]): void {
  for (const slab of slabs) if (freeSlabs.length < MOST_FREE_SLABS) freeSlabs.push(slab);
}

export function latin1(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder("latin1");
