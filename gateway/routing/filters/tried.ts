import type { RouteRequest } from "../route.ts";
import { indicesOf, type RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** Excludes workers that have already been tried. */
export class TriedFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  narrow(selection: Selection, { excluded }: RouteRequest<Worker>): void {
    for (const worker of excluded) selection.exclude(indicesOf(this.#context.workers.slotsOf(worker)));
  }
}
