import type { RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import { ContextLengthFilter } from "./context-length.ts";
import type { Filter, FilterContext } from "./filter.ts";
import { NamedWorkerFilter } from "./named-worker.ts";
import { type Phase, RoleFilter } from "./role.ts";
import type { Selection } from "./selection.ts";
import { SessionFilter } from "./session.ts";
import { SlowStartFilter } from "./slow-start.ts";
import { TagFilter } from "./tags.ts";
import { TriedFilter } from "./tried.ts";

/**
 * All filters, one line each, in the order in which they run. The core itself excludes busy workers, by the limits in
 * `load/thresholds.ts`.
 */
export class Filters<Worker extends RoutedWorker> {
  /** Filters that depend on the workers or the prompt, which run for every request. */
  readonly #byWorker: readonly Filter<Worker>[];
  /** Filters that depend on preferences or failed attempts, which are skipped for most requests. */
  readonly #byRequest: readonly Filter<Worker>[];

  constructor(context: FilterContext<Worker>, phase: Phase) {
    this.#byWorker = [
      new RoleFilter(context, phase),
      new ContextLengthFilter(context),
      new SlowStartFilter(context),
    ];
    // A request that names a worker, and a session, are bound to what answers them.
    const bindings = [new NamedWorkerFilter(context), new SessionFilter(context)];
    this.#byRequest = [
      new TagFilter(context),
      new TriedFilter(context),
      ...(phase === "decode" ? bindings : []),
    ];
  }

  /** @param now on the clock of `performance.now()` */
  narrow(selection: Selection, request: RouteRequest<Worker>, now: number): void {
    selection.reset();
    for (const filter of this.#byWorker) filter.narrow(selection, request, now);
    if (isPlain(request)) return;
    for (const filter of this.#byRequest) filter.narrow(selection, request, now);
  }

  /** A worker has joined or left, or its readiness has changed. */
  refresh(): void {
    for (const filter of this.#byWorker) filter.refresh?.();
    for (const filter of this.#byRequest) filter.refresh?.();
  }
}

/** Whether the request has no preferences for workers, and has not been tried yet. */
const isPlain = ({ preferences, excluded }: RouteRequest<RoutedWorker>): boolean =>
  excluded.length === 0 &&
  preferences.tags.length === 0 &&
  preferences.worker === undefined &&
  preferences.session === undefined;
