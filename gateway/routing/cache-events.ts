import type { MediaHashes, Router } from "#router-wasm";
import { decodeKvEvents, type KvEvent, type KvStoredEvent } from "#runtime";
import { CacheGroups } from "./cache-groups.ts";
import type { CacheReports } from "./cache-reports.ts";
import type { RoutedWorker, Slot } from "./workers.ts";

/** Feeds workers' KV events to a model's index. */
export class CacheEvents<Worker extends RoutedWorker> {
  readonly #core: Router;
  readonly #reports: CacheReports<Worker>;
  readonly #groups = new CacheGroups<Slot<Worker>>();

  constructor(core: Router, reports: CacheReports<Worker>) {
    this.#core = core;
    this.#reports = reports;
  }

  /**
   * Applies a batch in vLLM's wire format to that one of the worker's slots which it is from. The core reads most
   * batches itself; those with LoRA names, media or salts, with blocks of another size, or of several caches, are
   * decoded here.
   * @throws KvEventError where the bytes are no such batch
   */
  applyPayload(slots: readonly Slot<Worker>[], payload: Uint8Array): void {
    const batch = this.#groups.followsFirst(slots) ? this.#core.readBatch(payload) : undefined;
    if (batch === undefined) {
      const { events, dataParallelRank } = decodeKvEvents(payload);
      const slot = slotOf(slots, dataParallelRank);
      if (slot !== undefined) for (const event of events) this.apply(slot, event);
      return;
    }
    const slot = slotOf(slots, batch.rank);
    if (slot === undefined) return;
    if (batch.storedEvents > 0) this.#reports.accepts(slot, this.#core.blockSize);
    this.#core.applyBatch(slot.index);
  }

  apply(slot: Slot<Worker>, event: KvEvent): void {
    if (!this.#groups.takes(slot, event, () => this.#core.clearWorker(slot.index))) return;
    switch (event.type) {
      case "stored":
        this.#store(slot, event);
        break;
      case "removed":
        this.#core.applyRemoved(slot.index, event.blockHashes, event.tier);
        break;
      case "cleared":
        this.#core.clearWorker(slot.index);
        break;
    }
  }

  #store(slot: Slot<Worker>, event: KvStoredEvent): void {
    const { blockHashes, parentHash, tokenIds, tier, loraName, cacheSalt } = event;
    if (tokenIds.length < blockHashes.length) {
      this.#core.applyCopied(slot.index, blockHashes, tier ?? "device");
      return;
    }
    if (!this.#reports.accepts(slot, event.blockSize)) return;
    this.#core.applyStored(slot.index, blockHashes, parentHash, tokenIds, {
      tier,
      salt: loraName || cacheSalt ? this.#core.salt({ loraName, namespace: cacheSalt }) : undefined,
      mmHashes: this.#mediaHashes(event),
    });
  }

  #mediaHashes({ mediaIds }: KvStoredEvent): MediaHashes | undefined {
    return mediaIds?.map((ids) => ids && BigUint64Array.from(ids, (id) => this.#core.mediaHash(id)));
  }
}

/** A worker of one rank may be any rank of a larger deployment, and says so in its events. */
function slotOf<Worker extends RoutedWorker>(
  slots: readonly Slot<Worker>[],
  rank: number,
): Slot<Worker> | undefined {
  return slots.length === 1 ? slots[0] : slots[rank];
}
