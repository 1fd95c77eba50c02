import type { ModelCard } from "#runtime";
import type { DriftCause } from "./drift/drift.ts";

/** Of a worker: what routing has to know. */
export interface RoutedInstance {
  /** Random 64-bit id, 16 hex digits. */
  readonly id: string;
  /** A short name for people. */
  readonly name: string;
  readonly card: RoutedCard;
}

export type RoutedCard = Pick<
  ModelCard,
  "role" | "tags" | "blockSize" | "totalBlocks" | "maxBatchedTokens" | "maxSequences" | "dataParallelSize"
>;

/** A worker as routing sees it. */
export interface RoutedWorker {
  readonly instance: RoutedInstance;
  /** Whether requests can go to it now. The router is told of each change by `updateWorker`. */
  readonly isReady: boolean;
  /** What share of its requests it gets, 0 to 1: less than all for a while after it has come. Default: all. */
  shareAt?(now: number): number;
  /** What mends its cache's not being what the router thinks, where more is known of it than `DRIFT_ADVICE` says. */
  readonly fixes?: Partial<Readonly<Record<DriftCause, string>>>;
}

/** One data-parallel rank of a worker, with a KV cache of its own: what the router core calls a worker. */
export interface Slot<Worker extends RoutedWorker> {
  readonly worker: Worker;
  readonly rank: number;
  /** The slot's index in the router core. */
  readonly index: number;
  /** Whether the worker sends no KV events, so that its cache is known from predictions alone. */
  predictsOnly: boolean;
  /** False where predictions were found to mislead: nothing is predicted then. */
  isPredictable: boolean;
}

/** Slots by their index in the core. A new list for each change, so that whoever keeps one has it as it was. */
export type Roster<Worker extends RoutedWorker> = readonly (Slot<Worker> | undefined)[];

/** A model's workers, and which of them each index of the router core means. */
export class Workers<Worker extends RoutedWorker> {
  readonly #slots = new Map<Worker, readonly Slot<Worker>[]>();
  #roster: Roster<Worker> = [];

  get roster(): Roster<Worker> {
    return this.#roster;
  }

  /**
   * @param indices the core's index of each rank
   * @param predictsOnly whether the worker is known to send no KV events
   */
  add(worker: Worker, indices: readonly number[], predictsOnly: boolean): void {
    const slots = indices.map((index, rank) => ({
      worker,
      rank,
      index,
      predictsOnly,
      isPredictable: true,
    }));
    this.#slots.set(worker, slots);
    const roster = [...this.#roster];
    for (const slot of slots) roster[slot.index] = slot;
    this.#roster = roster;
  }

  remove(worker: Worker): void {
    const roster = [...this.#roster];
    for (const { index } of this.slotsOf(worker)) roster[index] = undefined;
    this.#roster = roster;
    this.#slots.delete(worker);
  }

  /** One slot for each rank; none for a worker that is not here any more. */
  slotsOf(worker: Worker): readonly Slot<Worker>[] {
    return this.#slots.get(worker) ?? [];
  }

  all(): Worker[] {
    return [...this.#slots.keys()];
  }

  /** All of them, without a list. */
  each(): Iterable<Worker> {
    return this.#slots.keys();
  }

  /** The core's indices of the slots for which `test` holds. */
  indicesWhere(test: (slot: Slot<Worker>) => boolean): number[] {
    return this.#roster.flatMap((slot) => (slot !== undefined && test(slot) ? [slot.index] : []));
  }

  /** The worker with this id or name. */
  find(idOrName: string): Worker | undefined {
    return findWorker(this.all(), idOrName);
  }
}

/** The core's index of each slot. */
export const indicesOf = (slots: readonly Slot<RoutedWorker>[]): number[] => slots.map(({ index }) => index);

/** The worker with this id or name. */
export const findWorker = <Worker extends RoutedWorker>(workers: readonly Worker[], idOrName: string) =>
  workers.find(({ instance }) => instance.id === idOrName || instance.name === idOrName);
