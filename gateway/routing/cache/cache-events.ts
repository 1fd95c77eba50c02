import type { MediaHashes, Router } from "#router-wasm";
import { type DecodedKvEvents, decodeKvEvents, type KvEvent, type KvStoredEvent } from "#runtime";
import type { CacheReports } from "../drift/cache-reports.ts";
import type { RoutedWorker, Slot } from "../workers.ts";
import { CacheGroups } from "./cache-groups.ts";

/** Feeds workers' KV events to a model's index. */
export class CacheEvents<Worker extends RoutedWorker> {
  /** Called for each unreadable event, with the problem as a clause. */
  onUnreadable: ((worker: Worker, what: string) => void) | undefined;
  readonly #core: Router;
  readonly #reports: CacheReports<Worker>;
  readonly groups = new CacheGroups<Slot<Worker>>();

  constructor(core: Router, reports: CacheReports<Worker>) {
    this.#core = core;
    this.#reports = reports;
  }

  /**
   * Applies a batch in vLLM's wire format to the slot it is from. The core reads most batches itself; those with LoRA
   * names, media, salts, a different block size or several cache groups are decoded here.
   * @returns the block size of the last stored event in the followed cache group; undefined if nothing was stored
   * @throws KvEventError if the bytes are not a valid batch
   */
  applyPayload(slots: readonly Slot<Worker>[], payload: Uint8Array): number | undefined {
    const batch = this.groups.followsFirst(slots) ? this.#core.readBatch(payload) : undefined;
    if (batch === undefined) {
      const decoded = decodeKvEvents(payload);
      const slot = this.#slotOf(slots, decoded.dataParallelRank);
      return slot && this.#applyDecoded(slot, decoded);
    }
    const slot = this.#slotOf(slots, batch.rank);
    if (slot === undefined) return undefined;
    const hasStored = batch.storedEvents > 0;
    if (hasStored) {
      this.groups.onFirstStored(slot);
      this.#reports.accepts(slot, this.#core.blockSize);
    }
    this.#core.applyBatch(slot.index);
    return hasStored ? this.#core.blockSize : undefined;
  }

  /** A worker with one rank may be any rank of a larger deployment, and its events then have that rank. */
  #slotOf(slots: readonly Slot<Worker>[], rank: number): Slot<Worker> | undefined {
    const [first] = slots;
    if (first === undefined || slots.length === 1) return first;
    const slot = slots[rank];
    if (slot === undefined)
      this.onUnreadable?.(
        first.worker,
        `they are from data-parallel rank ${rank}, but it has ${slots.length} ranks`,
      );
    return slot;
  }

  #applyDecoded(slot: Slot<Worker>, { events, unreadable }: DecodedKvEvents): number | undefined {
    for (const event of unreadable) this.groups.onUnreadable(slot, event);
    let blockSize: number | undefined;
    for (const event of events) blockSize = this.#apply(slot, event) ?? blockSize;
    const missed = unreadable.filter((event) => this.groups.isMissed(slot, event));
    for (const { what } of missed) {
      this.#reports.missed(slot);
      this.onUnreadable?.(slot.worker, what);
    }
    // It may have removed any of the blocks.
    if (missed.some(({ mayBeRemoval }) => mayBeRemoval)) this.#core.clearWorker(slot.index);
    return blockSize;
  }

  #apply(slot: Slot<Worker>, event: KvEvent): number | undefined {
    if (!this.groups.follows(slot, event, () => this.#core.clearWorker(slot.index))) return undefined;
    switch (event.type) {
      case "stored":
        return this.#store(slot, event);
      case "removed":
        this.#core.applyRemoved(slot.index, event.blockHashes, event.tier);
        return undefined;
      case "cleared":
        this.#core.clearWorker(slot.index);
        return undefined;
    }
  }

  #store(slot: Slot<Worker>, event: KvStoredEvent): number | undefined {
    const { blockHashes, parentHash, tokenIds, localHashes, tier, loraName, cacheSalt, blockSize } = event;
    if (localHashes !== undefined) return this.#storeHashed(slot, event, localHashes);
    if (tokenIds.length < blockHashes.length) {
      this.#core.applyCopied(slot.index, blockHashes, tier ?? "device");
      return undefined;
    }
    if (blockHashes.length === 0) return undefined;
    // Windowed groups often have another block size, and are not followed in the end.
    const followedSize = event.isWindowed ? undefined : blockSize;
    if (!this.#reports.accepts(slot, blockSize)) return followedSize;
    this.#core.applyStored(slot.index, blockHashes, parentHash, tokenIds, {
      tier,
      salt: loraName || cacheSalt ? { loraName, namespace: cacheSalt } : undefined,
      mmHashes: this.#mediaHashes(event),
    });
    return followedSize;
  }

  #storeHashed(
    slot: Slot<Worker>,
    { blockHashes, parentHash, tier, blockSize }: KvStoredEvent,
    localHashes: BigUint64Array,
  ): number | undefined {
    if (!this.#core.isKeyed) {
      this.#reports.missed(slot);
      this.onUnreadable?.(slot.worker, "they are private, and this gateway has no --kv-events-key");
    } else if (this.#reports.accepts(slot, blockSize))
      this.#core.applyHashed(slot.index, blockHashes, parentHash, localHashes, tier);
    return blockSize;
  }

  #mediaHashes({ mediaIds }: KvStoredEvent): MediaHashes | undefined {
    return mediaIds?.map((ids) => ids && BigUint64Array.from(ids, (id) => this.#core.mediaHash(id)));
  }
}
