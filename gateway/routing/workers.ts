import type { ModelCard, ZmqPosition } from "#runtime";
import type { DriftCause } from "./drift/drift.ts";
import type { Prompt } from "./prompt.ts";

/** What routing needs to know about a worker. */
export interface RoutedInstance {
  /** Random 64-bit id, 16 hex digits. */
  readonly id: string;
  /** The id by which other gateways know it too; default: `id`. */
  readonly sharedId?: string;
  /** Short name for display. */
  readonly name: string;
  readonly card: RoutedCard;
}

export type RoutedCard = Pick<
  ModelCard,
  "role" | "tags" | "blockSize" | "totalBlocks" | "maxBatchedTokens" | "maxSequences" | "dataParallelSize"
> & {
  /** Workers with the same one can hand KV blocks to each other; undefined if it cannot. */
  readonly kvFormat?: string | undefined;
  /** Whether it answers only what a prefill worker has computed. */
  readonly needsPrefill?: boolean;
};

/** A worker as routing sees it. */
export interface RoutedWorker {
  readonly instance: RoutedInstance;
  /** Whether it can get requests now. Each change is reported to the router with `updateWorker`. */
  readonly isReady: boolean;
  /** Longest prompt plus answer in tokens, if known. Constant. */
  readonly contextLength?: number | undefined;
  /** When its process started, in seconds since the epoch, if known. */
  readonly startedAt?: number | undefined;
  /**
   * The last batch of a rank's KV events that the router has, from which another gateway can continue; undefined if it
   * cannot.
   */
  positionOf?(rank: number): ZmqPosition | undefined;
  /** Its share of requests, 0 to 1: below 1 during slow start. Default: 1. */
  shareAt?(now: number): number;
  /** How to fix each cause of cache drift, if more is known than `DRIFT_ADVICE` says. */
  readonly fixes?: Partial<Readonly<Record<DriftCause, string>>>;
}

/** One data-parallel rank of a worker, which has its own KV cache. The router core calls it a worker. */
export interface Slot<Worker extends RoutedWorker> {
  readonly worker: Worker;
  readonly rank: number;
  /** The slot's index in the router core. */
  readonly index: number;
  /** Whether the worker sends no KV events, so that its cache is only predicted. */
  predictsOnly: boolean;
  /** False once predictions have been found to be wrong: then nothing is predicted. */
  isPredictable: boolean;
}

/** Slots by their index in the core. Immutable: each change makes a new list. */
export type Roster<Worker extends RoutedWorker> = readonly (Slot<Worker> | undefined)[];

/** A model's workers, and the slot behind each index of the router core. */
export class Workers<Worker extends RoutedWorker> {
  readonly #slots = new Map<Worker, readonly Slot<Worker>[]>();
  #roster: Roster<Worker> = [];
  #shortestContext = Number.POSITIVE_INFINITY;

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
    this.#shortestContext = Math.min(this.#shortestContext, contextOf(worker));
  }

  remove(worker: Worker): void {
    const roster = [...this.#roster];
    for (const { index } of this.slotsOf(worker)) roster[index] = undefined;
    this.#roster = roster;
    this.#slots.delete(worker);
    this.#shortestContext = Math.min(...this.all().map(contextOf));
  }

  /** One slot for each rank; none for a worker that was removed or shut out. */
  slotsOf(worker: Worker): readonly Slot<Worker>[] {
    return this.#slots.get(worker) ?? [];
  }

  all(): Worker[] {
    return [...this.#slots.keys()];
  }

  /** All workers, without allocating a list. */
  each(): Iterable<Worker> {
    return this.#slots.keys();
  }

  /** Whether the prompt fits into every worker's context, as far as that is known. */
  allFit({ tokens, isExact }: Prompt): boolean {
    return !isExact || tokens.length < this.#shortestContext;
  }

  /** The core indices of the slots that pass the test. */
  indicesWhere(test: (slot: Slot<Worker>) => boolean): number[] {
    return this.#roster.flatMap((slot) => (slot !== undefined && test(slot) ? [slot.index] : []));
  }

  /** The worker with this id or name. */
  find(idOrName: string): Worker | undefined {
    return findWorker(this.all(), idOrName);
  }
}

/** Whether the prompt leaves room for an answer in the worker's context, as far as that is known. */
export const fits = ({ tokens, isExact }: Prompt, worker: Pick<RoutedWorker, "contextLength">): boolean =>
  !isExact || tokens.length < contextOf(worker);

const contextOf = ({ contextLength }: Pick<RoutedWorker, "contextLength">): number =>
  contextLength ?? Number.POSITIVE_INFINITY;

/** The core index of each slot. */
export const indicesOf = (slots: readonly Slot<RoutedWorker>[]): number[] => slots.map(({ index }) => index);

/** The worker with this id or name. */
export const findWorker = <Worker extends RoutedWorker>(workers: readonly Worker[], idOrName: string) =>
  workers.find((worker) => isNamed(worker, idOrName));

/** Whether this is the worker's id or name. */
export const isNamed = ({ instance }: Pick<RoutedWorker, "instance">, idOrName: string): boolean =>
  instance.id === idOrName || instance.name === idOrName;
