import type { KvEvent } from "#runtime";
import type { BlockListener } from "./block-pool.ts";

/** A block's content: its tokens, after those of its parent, as computed with a LoRA adapter or without one. */
export interface Content {
  parent: number | undefined;
  loraName?: string | undefined;
  tokenIds: Uint32Array;
  /** The salt of the requests that share it and what follows, in the first such block. */
  cacheSalt: string | undefined;
}

/**
 * Converts the changes of a block pool during one step into KV events, as vLLM publishes them: one batch per step, with
 * consecutive blocks in one stored event.
 */
export class MockCacheEvents implements BlockListener {
  readonly #blockSize: number;
  readonly #contents = new Map<number, Content>();
  readonly #describe: (hash: number) => Content;
  #batch: KvEvent[] = [];
  #chain: number[] = [];
  #gone: number[] = [];

  /** @param describe returns a block's parent and tokens when it is stored */
  constructor(blockSize: number, describe: (hash: number) => Content) {
    this.#blockSize = blockSize;
    this.#describe = describe;
  }

  onStored(hash: number): void {
    this.#endRemoved();
    const content = this.#describe(hash);
    this.#contents.set(hash, content);
    // An event has the salt of its first block.
    const isNext = content.parent === this.#chain.at(-1) && content.cacheSalt === undefined;
    if (this.#chain.length > 0 && !isNext) this.#endStored();
    this.#chain.push(hash);
  }

  onRemoved(hash: number): void {
    this.#endStored();
    this.#gone.push(hash);
  }

  /** The events since the last call. */
  take(): KvEvent[] {
    this.#endStored();
    this.#endRemoved();
    const batch = this.#batch;
    this.#batch = [];
    return batch;
  }

  /** Stored events for all cached blocks, parents before children. */
  snapshot(): KvEvent[] {
    const events: KvEvent[] = [];
    const done = new Set<number>();
    const visit = (hash: number) => {
      const content = this.#contents.get(hash);
      if (content === undefined || done.has(hash)) return;
      done.add(hash);
      if (content.parent !== undefined) visit(content.parent);
      events.push(this.#storedEvent([hash]));
    };
    for (const hash of this.#contents.keys()) visit(hash);
    return events;
  }

  #endStored(): void {
    if (this.#chain.length === 0) return;
    this.#batch.push(this.#storedEvent(this.#chain));
    this.#chain = [];
  }

  #endRemoved(): void {
    if (this.#gone.length === 0) return;
    for (const hash of this.#gone) this.#contents.delete(hash);
    this.#batch.push({ type: "removed", blockHashes: BigUint64Array.from(this.#gone, BigInt) });
    this.#gone = [];
  }

  #storedEvent(chain: readonly number[]): KvEvent {
    const contents = chain.map((hash) => this.#contents.get(hash)!);
    const { parent, loraName, cacheSalt } = contents[0]!;
    const tokenIds = new Uint32Array(chain.length * this.#blockSize);
    contents.forEach((content, index) => {
      tokenIds.set(content.tokenIds, index * this.#blockSize);
    });
    return {
      type: "stored",
      blockHashes: BigUint64Array.from(chain, BigInt),
      parentHash: parent === undefined ? undefined : BigInt(parent),
      tokenIds,
      blockSize: this.#blockSize,
      ...(loraName !== undefined && { loraName }),
      ...(cacheSalt !== undefined && { cacheSalt }),
    };
  }
}
