import type { KvEvent } from "#runtime";
import type { BlockListener } from "#workers";
import type { BlockContent } from "./sequence.ts";

/** Turns stored and removed blocks into KV events, one event for consecutive blocks. */
export class CacheLog implements BlockListener {
  readonly #blockSize: number;
  /** Blocks that are cached, or may soon be. */
  readonly #contents = new Map<number, BlockContent>();
  readonly #cached = new Set<number>();
  #events: KvEvent[] = [];
  #chain: number[] = [];
  #removed: number[] = [];

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  describe(hash: number, content: BlockContent): void {
    if (!this.#contents.has(hash)) this.#contents.set(hash, content);
  }

  onStored(hash: number): void {
    this.#endRemoved();
    const { parent } = this.#contents.get(hash)!;
    if (this.#chain.length > 0 && parent !== this.#chain.at(-1)) this.#endStored();
    this.#chain.push(hash);
    this.#cached.add(hash);
  }

  onRemoved(hash: number): void {
    this.#endStored();
    this.#removed.push(hash);
    this.#cached.delete(hash);
    // At once: a block that is stored again is described before, perhaps in the same step.
    this.#contents.delete(hash);
  }

  clear(): void {
    this.take();
    this.#contents.clear();
    this.#cached.clear();
    this.#events.push({ type: "cleared" });
  }

  /** The events since the last call, in order. */
  take(): KvEvent[] {
    this.#endStored();
    this.#endRemoved();
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Forgets blocks that were never cached. Call this while there are no requests. */
  tidy(): void {
    for (const hash of this.#contents.keys()) if (!this.#cached.has(hash)) this.#contents.delete(hash);
  }

  #endStored(): void {
    if (this.#chain.length === 0) return;
    const contents = this.#chain.map((hash) => this.#contents.get(hash)!);
    const { parent, loraName, cacheSalt } = contents[0]!;
    this.#events.push({
      type: "stored",
      blockHashes: BigUint64Array.from(this.#chain, BigInt),
      parentHash: parent === undefined ? undefined : BigInt(parent),
      tokenIds: Uint32Array.from(contents.flatMap(({ tokenIds }) => tokenIds)),
      blockSize: this.#blockSize,
      ...(loraName !== undefined && { loraName }),
      // Only a sequence's first block carries it.
      ...(cacheSalt !== undefined && parent === undefined && { cacheSalt }),
    });
    this.#chain = [];
  }

  #endRemoved(): void {
    if (this.#removed.length === 0) return;
    this.#events.push({ type: "removed", blockHashes: BigUint64Array.from(this.#removed, BigInt) });
    this.#removed = [];
  }
}
