import type { RouteRequest } from "../route.ts";
import type { RoutedWorker, Slot } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/**
 * Ramps traffic up for workers that have just joined: each is avoided at random, so that it gets its current share of
 * requests. If all workers are new, none is avoided.
 */
export class SlowStartFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;
  /** Whether some workers may still be new. */
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
    // One draw per worker, however many ranks it has.
    const avoided = new Set<Worker>();
    for (const worker of workers.each()) if (random() >= shareOf(worker, now)) avoided.add(worker);
    selection.avoid(workers.indicesWhere(({ worker }: Slot<Worker>) => avoided.has(worker)));
  }

  refresh(): void {
    this.#mayBeNew = true;
  }
}

const shareOf = (worker: RoutedWorker, now: number): number => worker.shareAt?.(now) ?? 1;
