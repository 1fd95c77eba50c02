import type { RouteRequest } from "../route.ts";
import { fits, indicesOf, type RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** Excludes workers whose context is too short for the prompt, unless all are: then a worker's error says so. */
export class ContextLengthFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  narrow(selection: Selection, { prompt }: RouteRequest<Worker>): void {
    const { workers } = this.#context;
    if (workers.allFit(prompt)) return;
    const tooShort = workers.all().filter((worker) => !fits(prompt, worker));
    if (tooShort.length === workers.all().length) return;
    for (const worker of tooShort) selection.exclude(indicesOf(workers.slotsOf(worker)));
  }
}
