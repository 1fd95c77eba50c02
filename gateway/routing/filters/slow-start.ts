import type { RouteRequest } from "../route.ts";
import type { RoutedWorker, Slot } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/**
 * Ramps traffic up for workers that have just joined: each is spared at random, in proportion to the share that it is
 * to get by now. Where all have joined together, none is.
 */
export class SlowStartFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;
  /** Whether some may still be new, so that they are to be looked at. */
  #mayBeNew = false;

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  narrow(selection: Selection, _request: RouteRequest<Worker>, now: number): void {
    if (!this.#mayBeNew) return;
    const { workers, random } = this.#context;
    let hasSettled = false;
    this.#mayBeNew = false;
    for (const worker of workers.each()) {
      if (!worker.isReady) continue;
      if (shareOf(worker, now) < 1) this.#mayBeNew = true;
      else hasSettled = true;
    }
    if (!this.#mayBeNew || !hasSettled) return;
    // One draw for a worker, whatever number of ranks it has.
    const spared = new Set<Worker>();
    for (const worker of workers.each()) if (random() >= shareOf(worker, now)) spared.add(worker);
    selection.spare(workers.indicesWhere(({ worker }: Slot<Worker>) => spared.has(worker)));
  }

  refresh(): void {
    this.#mayBeNew = true;
  }
}

const shareOf = (worker: RoutedWorker, now: number): number => worker.shareAt?.(now) ?? 1;
