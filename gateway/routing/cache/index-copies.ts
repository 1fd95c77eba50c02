import type { Router } from "#router-wasm";
import type { ZmqPosition } from "#runtime";
import { NO_LOAD, sharedIdOf } from "../load/shared-load.ts";
import type { RoutedWorker, Slot, Workers } from "../workers.ts";
import type { CacheGroups, FollowedGroup } from "./cache-groups.ts";

/** A rank of a worker in a copy of the index. */
export interface CopiedRank {
  /** Its number in the copy. */
  readonly index: number;
  /** The worker's shared id. */
  readonly worker: string;
  readonly rank: number;
  /** When the worker's process started, in seconds since the epoch, if known. */
  readonly startedAt: number | undefined;
  /**
   * The last batch of KV events that the copy includes; undefined if the rank is only predicted, or if its worker sends
   * a snapshot itself.
   */
  readonly position: ZmqPosition | undefined;
  readonly group: FollowedGroup | undefined;
  /** Tokens that it had to prefill recently, decaying. */
  readonly recentPrefillTokens: number;
}

/** What a model's router knows of its workers' caches, for another gateway's router. */
export interface IndexCopy {
  /** All ranks. */
  readonly ranks: readonly CopiedRank[];
  /** The first piece of the router core's snapshot. */
  readonly first: Uint8Array;
  /** The other pieces, of the index as it was when this copy was made; the caller must exhaust or return it. */
  readonly rest: Generator<Uint8Array, void>;
  /** What a rank is predicted to hold when this is called; undefined for one whose events are followed. */
  predictionsOf(index: number): Uint8Array | undefined;
}

/** A copy of another gateway's index that has arrived. */
export interface ArrivedCopy {
  readonly ranks: readonly CopiedRank[];
  readonly pieces: readonly Uint8Array[];
  /** By the numbers in the copy of the ranks that are only predicted. */
  readonly predictions: ReadonlyMap<number, Uint8Array>;
}

/** Blocks that were taken over. */
export interface TakenBlocks {
  stored: number;
  predicted: number;
}

/** Copies a model's index for other gateways, and takes over their copies. */
export class IndexCopies<Worker extends RoutedWorker> {
  readonly #core: Router;
  readonly #workers: Workers<Worker>;
  readonly #groups: CacheGroups<Slot<Worker>>;
  readonly #seconds: () => number;

  /** @param seconds the core's clock */
  constructor(
    core: Router,
    workers: Workers<Worker>,
    groups: CacheGroups<Slot<Worker>>,
    seconds: () => number,
  ) {
    this.#core = core;
    this.#workers = workers;
    this.#groups = groups;
    this.#seconds = seconds;
  }

  /**
   * Copies the index as it is now. A new copy ends an unfinished one.
   * @param pieceBytes about how long the pieces of the snapshot are
   */
  copy(pieceBytes: number): IndexCopy {
    this.#core.passTime(this.#seconds());
    const { roster } = this.#workers;
    const ranks = roster.flatMap((slot) => (slot === undefined ? [] : [this.#rankOf(slot)]));
    const rest = this.#core.snapshot(pieceBytes);
    const { value: first } = rest.next();
    return {
      ranks,
      first: first ?? NOTHING,
      rest,
      predictionsOf: (index) => {
        const slot = roster[index];
        // Another worker may have taken its number.
        const isSame = slot?.predictsOnly && this.#workers.roster[index] === slot;
        return isSame ? this.#core.copyPredictions(index) : undefined;
      },
    };
  }

  #rankOf(slot: Slot<Worker>): CopiedRank {
    const { worker, rank, index, predictsOnly } = slot;
    return {
      index,
      worker: sharedIdOf(worker.instance),
      rank,
      startedAt: worker.startedAt,
      position: predictsOnly ? undefined : worker.positionOf?.(rank),
      group: this.#groups.followedBy(slot),
      recentPrefillTokens: this.#core.recentPrefill(index),
    };
  }

  /**
   * Takes over what another gateway knows of some workers, as if their events and requests had come here. A little of it
   * each time the generator is advanced.
   * @returns the blocks taken over
   * @throws RouterError for a damaged copy, or one of another block size
   */
  *merge(
    { ranks, pieces, predictions }: ArrivedCopy,
    workers: ReadonlySet<Worker>,
  ): Generator<void, TakenBlocks> {
    const taken = { stored: 0, predicted: 0 };
    const slots = this.#slotsOf(ranks, workers);
    this.#core.passTime(this.#seconds());
    for (const [{ recentPrefillTokens }, { index }] of slots) this.#raiseRecent(index, recentPrefillTokens);
    const followed = slots.filter(([{ position }]) => position !== undefined);
    for (const [{ group }, slot] of followed) if (group !== undefined) this.#groups.take(slot, group);
    const indices = new Map(followed.map(([{ index }, slot]) => [index, slot.index]));
    let { roster } = this.#workers;
    if (indices.size > 0)
      for (const stored of this.#core.merge(pieces, indices)) {
        taken.stored += stored;
        yield;
        if (roster === this.#workers.roster) continue;
        roster = this.#workers.roster;
        for (const [{ index }, slot] of followed) if (roster[slot.index] !== slot) indices.delete(index);
      }
    for (const [{ index }, slot] of slots) {
      const bytes = predictions.get(index);
      if (bytes === undefined) continue;
      const merging = this.#core.mergePredictions(slot.index, bytes);
      while (this.#workers.roster[slot.index] === slot) {
        const { done, value } = merging.next();
        if (done) break;
        taken.predicted += value;
        yield;
      }
    }
    return taken;
  }

  /** What other gateways have reported since this one has started is in the copy too. */
  #raiseRecent(index: number, tokens: number): void {
    const recentPrefillTokens = Math.max(0, tokens - this.#core.recentPrefill(index));
    this.#core.addLoad(index, { ...NO_LOAD, recentPrefillTokens });
  }

  /** The slots here of those of the ranks that these workers have. */
  #slotsOf(
    ranks: readonly CopiedRank[],
    workers: ReadonlySet<Worker>,
  ): [copied: CopiedRank, slot: Slot<Worker>][] {
    const byId = new Map(Array.from(workers, (worker) => [sharedIdOf(worker.instance), worker]));
    return ranks.flatMap((copied): [CopiedRank, Slot<Worker>][] => {
      const worker = byId.get(copied.worker);
      const slot = worker && this.#workers.slotsOf(worker)[copied.rank];
      return slot === undefined ? [] : [[copied, slot]];
    });
  }
}

const NOTHING = new Uint8Array(0);
