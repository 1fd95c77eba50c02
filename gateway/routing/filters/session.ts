import type { RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** Leaves only the worker of the request's session, or prefers it, as `--session-affinity` says. */
export class SessionFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  narrow(selection: Selection, { preferences }: RouteRequest<Worker>, now: number): void {
    // A request that names a worker goes there and takes its session along.
    if (preferences.session === undefined || preferences.worker !== undefined) return;
    const { sessions, workers } = this.#context;
    const bound = sessions.boundTo(preferences.session, workers, now);
    if (bound === undefined || selection.excluded.includes(bound)) return;
    if (sessions.mode === "hard") selection.only = bound;
    else selection.preferred = bound;
  }
}
