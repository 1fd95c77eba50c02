import type { RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** Selects or prefers the worker of the request's session, according to `--session-affinity`. */
export class SessionFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  narrow(selection: Selection, { preferences }: RouteRequest<Worker>, now: number): void {
    // A request that names a worker goes there, and its session moves with it.
    if (preferences.session === undefined || preferences.worker !== undefined) return;
    const { sessions, workers } = this.#context;
    const bound = sessions.boundTo(preferences.session, workers, now);
    if (bound === undefined || selection.excluded.includes(bound)) return;
    if (sessions.mode === "hard") selection.only = bound;
    else selection.preferred = bound;
  }
}
