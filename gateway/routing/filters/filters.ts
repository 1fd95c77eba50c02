import type { RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import { NamedWorkerFilter } from "./named-worker.ts";
import { RoleFilter } from "./role.ts";
import type { Selection } from "./selection.ts";
import { SessionFilter } from "./session.ts";
import { SlowStartFilter } from "./slow-start.ts";
import { TagFilter } from "./tags.ts";
import { TriedFilter } from "./tried.ts";

/**
 * All filters: one line for each, in the order in which they are asked. Busy workers are excluded by the core itself, by
 * the limits in `load/thresholds.ts`.
 */
export class Filters<Worker extends RoutedWorker> {
  /** Those that look at the workers: asked for every request. */
  readonly #byWorker: readonly Filter<Worker>[];
  /** Those that look at what the request says or has been through: not asked for most requests, which say nothing. */
  readonly #byRequest: readonly Filter<Worker>[];

  constructor(context: FilterContext<Worker>) {
    this.#byWorker = [new RoleFilter(context), new SlowStartFilter(context)];
    this.#byRequest = [
      new TagFilter(context),
      new TriedFilter(context),
      new NamedWorkerFilter(context),
      new SessionFilter(context),
    ];
  }

  /** @param now on the clock of `performance.now()` */
  narrow(selection: Selection, request: RouteRequest<Worker>, now: number): void {
    selection.reset();
    for (const filter of this.#byWorker) filter.narrow(selection, request, now);
    if (isPlain(request)) return;
    for (const filter of this.#byRequest) filter.narrow(selection, request, now);
  }

  /** A worker has come or gone, or is ready or not any more. */
  refresh(): void {
    for (const filter of this.#byWorker) filter.refresh?.();
    for (const filter of this.#byRequest) filter.refresh?.();
  }
}

/** Whether the request would go to any worker, and has not been anywhere. */
const isPlain = ({ preferences, excluded }: RouteRequest<RoutedWorker>): boolean =>
  excluded.length === 0 &&
  preferences.tags.length === 0 &&
  preferences.worker === undefined &&
  preferences.session === undefined;
