import type { RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** Selects only the worker that the request names, with all its ranks. */
export class NamedWorkerFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  narrow(selection: Selection, { preferences: { worker } }: RouteRequest<Worker>): void {
    if (worker === undefined) return;
    const { workers } = this.#context;
    const found = workers.find(worker);
    const wanted = found === undefined ? [] : workers.slotsOf(found);
    if (wanted.length === 1) selection.only = wanted[0]!.index;
    else selection.exclude(workers.indicesWhere((slot) => !wanted.includes(slot)));
  }
}
