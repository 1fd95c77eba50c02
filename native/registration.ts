import type { DriverMemory, DriverSource } from "./driver.ts";
import { TransferError } from "./errors.ts";
import type { Range, Registration, TransferKind } from "./transfer.ts";
import { encodeDescriptor } from "./wire/messages.ts";
import { checkRanges } from "./wire/ranges.ts";

/** A registration of this process. */
export class OwnRegistration implements Registration {
  readonly length: number;
  /** Its agent's id. */
  readonly agent: string;
  readonly #key: bigint;
  readonly #source: DriverSource;
  readonly #memories: ReadonlyMap<TransferKind, DriverMemory>;
  readonly #release: () => void;
  readonly #running = new Set<Promise<void>>();
  #isDisposed = false;

  constructor(
    agent: string,
    key: bigint,
    source: DriverSource,
    memories: ReadonlyMap<TransferKind, DriverMemory>,
    release: () => void,
  ) {
    this.agent = agent;
    this.length = source.length;
    this.#key = key;
    this.#source = source;
    this.#memories = memories;
    this.#release = release;
  }

  get buffer(): Uint8Array | undefined {
    return this.#source instanceof Uint8Array && !this.#isDisposed ? this.#source : undefined;
  }

  descriptor(ranges: readonly Range[] = [{ offset: 0, length: this.length }]): Uint8Array {
    this.#check();
    const tokens = new Map(Array.from(this.#memories, ([kind, { token }]) => [kind, token]));
    checkRanges(ranges, this.length);
    return encodeDescriptor({ agent: this.agent, key: this.#key, ranges, tokens });
  }

  /** @returns the memory for a transfer of this kind. @throws TransferError `aborted` or `unavailable` */
  memoryFor(kind: TransferKind): DriverMemory {
    this.#check();
    const memory = this.#memories.get(kind);
    if (memory === undefined)
      throw new TransferError("unavailable", `This memory cannot be used with a peer over ${kind}.`);
    return memory;
  }

  /** Notes a transfer that uses this memory. */
  hold(transfer: Promise<void>): void {
    const settled = transfer
      .catch(() => {}) // its caller handles it
      .then(() => {
        this.#running.delete(settled);
      });
    this.#running.add(settled);
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#release();
  }

  #check(): void {
    if (this.#isDisposed) throw new TransferError("aborted", "The registration has been disposed of.");
    if (this.#source instanceof Uint8Array && this.#source.length !== this.length)
      throw new TransferError("invalid", "The registered buffer has been detached.");
  }
}
