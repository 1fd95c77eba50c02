import type { Registration } from "#native";

/** Memory of the pool while somebody uses it. */
export interface PooledMemory {
  /** The part that was asked for. */
  readonly buffer: Uint8Array;
  readonly registration: Registration;
  /** What a peer must know to read that part. */
  descriptor(): Uint8Array;
  /** Gives it back. Only the first call counts. Transfers that still write to it do so before it is used again. */
  release(): void;
}

/**
 * Registered memory for exports and imports, which is used again: registering it, and its first use, take longer than a
 * transfer. Sizes are rounded up, so that a piece suits many prompts.
 */
export class MemoryPool {
  readonly #allocate: (bytes: number) => Promise<Registration>;
  readonly #mostFreeBytes: number;
  /** Least recently used first. */
  readonly #free: Registration[] = [];
  /** Bytes in use, and bytes kept for later. */
  usedBytes = 0;
  freeBytes = 0;
  #isClosed = false;

  /** @param mostFreeBytes how much is kept for later at most */
  constructor(allocate: (bytes: number) => Promise<Registration>, mostFreeBytes: number) {
    this.#allocate = allocate;
    this.#mostFreeBytes = mostFreeBytes;
  }

  /** @throws Error if there is not enough memory */
  async take(bytes: number): Promise<PooledMemory> {
    const registration = this.#reuse(bytes) ?? (await this.#allocate(roundedUp(bytes)));
    const { length } = registration;
    this.usedBytes += length;
    let isUsed = true;
    return {
      registration,
      buffer: registration.buffer!.subarray(0, bytes),
      descriptor: () => registration.descriptor([{ offset: 0, length: bytes }]),
      release: () => {
        if (!isUsed) return;
        isUsed = false;
        this.usedBytes -= length;
        void registration.settled().then(() => this.#keep(registration));
      },
    };
  }

  /** Frees what is kept, and from now on all that is given back. */
  close(): void {
    this.#isClosed = true;
    this.#trim(0);
  }

  /** The smallest piece that is large enough, unless most of it would be wasted. */
  #reuse(bytes: number): Registration | undefined {
    let best: Registration | undefined;
    for (const each of this.#free)
      if (each.length >= bytes && each.length <= Math.max(2 * bytes, SMALLEST))
        if (best === undefined || each.length < best.length) best = each;
    if (best === undefined) return undefined;
    this.#free.splice(this.#free.indexOf(best), 1);
    this.freeBytes -= best.length;
    return best;
  }

  #keep(registration: Registration): void {
    this.#free.push(registration);
    this.freeBytes += registration.length;
    this.#trim(this.#isClosed ? 0 : this.#mostFreeBytes);
  }

  #trim(mostBytes: number): void {
    while (this.freeBytes > mostBytes) {
      const oldest = this.#free.shift()!;
      this.freeBytes -= oldest.length;
      oldest[Symbol.dispose]();
    }
  }
}

const SMALLEST = 64 * 1024;

/** Up to an eighth more, so that prompts of about the same length need the same size. */
function roundedUp(bytes: number): number {
  const step = Math.max(SMALLEST, 2 ** Math.floor(Math.log2(bytes)) / 8);
  return Math.ceil(bytes / step) * step;
}
