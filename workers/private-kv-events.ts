import type { KvEvent, KvStoredEvent, KvTier } from "#runtime";
import type { KvEventSource } from "./engine.ts";

/** Hashes with the key that workers share with their gateways; `KvHasher` in `#router-wasm` is one. */
export interface KvHashing {
  mediaHash(identifier: string): bigint;
  localHashes(
    tokenIds: Uint32Array,
    before: bigint | undefined,
    extras: {
      salt?: { loraName?: string | undefined; namespace?: string | undefined } | undefined;
      mmHashes?: (BigUint64Array | undefined)[] | undefined;
    },
  ): BigUint64Array;
  masked(hashes: BigUint64Array): BigUint64Array;
}

/** How a worker's KV events are kept private. */
export interface KvEventsPrivacy {
  /** Tells the key apart from others, without telling it. */
  readonly fingerprint: string;
  /** Hashes with the key, for engines with blocks of this size. */
  createHasher(blockSize: number): KvHashing;
}

/** What is known of a block that some tier has. */
interface Block {
  readonly local: bigint;
  readonly tiers: Set<KvTier>;
}

/** The blocks in one cache, by the engine's own hashes. */
type Cache = Map<bigint, Block>;

/**
 * An engine's KV events without token ids, media identifiers, salts and the engine's own hashes: in their place are
 * hashes under a key. A block's local hash depends on all of the prompt before it, so the local hashes of the blocks in
 * each cache are kept until no tier has them.
 */
export class PrivateKvEvents implements KvEventSource {
  readonly #source: KvEventSource;
  readonly #privacy: KvEventsPrivacy;
  readonly #hasher: KvHashing;
  /** For caches with blocks of other sizes. */
  readonly #others = new Map<number, KvHashing>();
  readonly #blockSize: number;
  /** For each rank, by the engine's groups. */
  readonly #ranks: Map<number, Cache>[] = [];

  /** @param blockSize tokens per block in most or all of its events */
  constructor(source: KvEventSource, privacy: KvEventsPrivacy, blockSize: number) {
    this.#source = source;
    this.#privacy = privacy;
    this.#blockSize = blockSize;
    this.#hasher = privacy.createHasher(blockSize);
  }

  subscribe(listener: (events: KvEvent[], dataParallelRank?: number) => void): void {
    this.#source.subscribe((events, rank = 0) => {
      listener(
        events.flatMap((event) => this.#hide(event, rank)),
        rank,
      );
    });
  }

  snapshot(rank: number): KvEvent[] {
    return this.#source.snapshot(rank).flatMap((event) => this.#hide(event, rank));
  }

  /** The event with hashes in place of what tells of prompts; none if it continues a block that no tier has. */
  #hide(event: KvEvent, rank: number): KvEvent[] {
    this.#ranks[rank] ??= new Map();
    const groups = this.#ranks[rank];
    if (event.type === "cleared") {
      groups.clear();
      return [event];
    }
    const { blockHashes, tier = "device", group = 0 } = event;
    const cache: Cache = groups.get(group) ?? new Map();
    groups.set(group, cache);
    if (event.type === "removed") {
      for (const hash of blockHashes) drop(cache, hash, tier);
      return [{ ...event, blockHashes: this.#hasher.masked(blockHashes) }];
    }
    return event.tokenIds.length < blockHashes.length
      ? [this.#copied(event, cache)]
      : this.#stored(event, cache);
  }

  /** Engines give only the hashes of blocks that they copy to another tier. */
  #copied({ blockHashes, tier = "device", ...event }: KvStoredEvent, cache: Cache): KvEvent {
    for (const hash of blockHashes) cache.get(hash)?.tiers.add(tier);
    return { ...withoutContent(event), tier, blockHashes: this.#hasher.masked(blockHashes) };
  }

  #stored(event: KvStoredEvent, cache: Cache): KvEvent[] {
    const { blockHashes, parentHash, tokenIds, blockSize, tier = "device", loraName, cacheSalt } = event;
    const parent = parentHash === undefined ? undefined : cache.get(parentHash);
    if (parentHash !== undefined && parent === undefined) return [];
    const hasher = this.#hasherFor(blockSize);
    const localHashes = hasher.localHashes(tokenIds, parent?.local, {
      salt: loraName || cacheSalt ? { loraName, namespace: cacheSalt } : undefined,
      mmHashes: event.mediaIds?.map((ids) => ids && BigUint64Array.from(ids, (id) => hasher.mediaHash(id))),
    });
    for (const [index, hash] of blockHashes.entries()) {
      const known = cache.get(hash);
      const local = localHashes[index]!;
      if (known?.local === local) known.tiers.add(tier);
      else cache.set(hash, { local, tiers: new Set([tier]) });
    }
    return [
      {
        ...withoutContent(event),
        parentHash: parentHash === undefined ? undefined : hasher.masked(BigUint64Array.of(parentHash))[0],
        blockHashes: hasher.masked(blockHashes),
        localHashes,
      },
    ];
  }

  #hasherFor(blockSize: number): KvHashing {
    if (blockSize === this.#blockSize) return this.#hasher;
    let hasher = this.#others.get(blockSize);
    if (hasher === undefined) {
      hasher = this.#privacy.createHasher(blockSize);
      this.#others.set(blockSize, hasher);
    }
    return hasher;
  }
}

/** Without all that prompts, media and tenants could be told from. */
function withoutContent<Event extends Partial<KvStoredEvent>>(event: Event) {
  const { mediaIds: _, cacheSalt: __, loraName: ___, ...rest } = event;
  return { ...rest, tokenIds: new Uint32Array(0) };
}

function drop(cache: Cache, hash: bigint, tier: KvTier): void {
  const block = cache.get(hash);
  block?.tiers.delete(tier);
  if (block?.tiers.size === 0) cache.delete(hash);
}
