import type { RouteRequest } from "../route.ts";
import type { RoutedWorker, Workers } from "../workers.ts";
import type { SessionBindings } from "./affinity.ts";
import type { Selection } from "./selection.ts";

/** Excludes workers that a request must not go to, or would rather not. */
export interface Filter<Worker extends RoutedWorker> {
  /**
   * Narrows the selection for one request. It runs for every request: it should allocate nothing where it has nothing
   * to exclude.
   * @param now on the clock of `performance.now()`
   */
  narrow(selection: Selection, request: RouteRequest<Worker>, now: number): void;
  /** A worker has come or gone, or is ready or not any more. */
  refresh?(): void;
}

/** What a filter may look at besides the request. */
export interface FilterContext<Worker extends RoutedWorker> {
  readonly workers: Workers<Worker>;
  readonly sessions: SessionBindings<Worker>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}
