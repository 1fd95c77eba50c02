import type { RouteRequest } from "../route.ts";
import type { RoutedWorker, Workers } from "../workers.ts";
import type { SessionBindings } from "./affinity.ts";
import type { Selection } from "./selection.ts";

/** Excludes workers that a request must not or should not go to. */
export interface Filter<Worker extends RoutedWorker> {
  /**
   * Narrows the selection for one request. It may run for every request, so it should not allocate if there is nothing
   * to exclude.
   * @param now on the clock of `performance.now()`
   */
  narrow(selection: Selection, request: RouteRequest<Worker>, now: number): void;
  /** A worker has joined or left, or its readiness has changed. */
  refresh?(): void;
}

/** What filters can use besides the request. */
export interface FilterContext<Worker extends RoutedWorker> {
  readonly workers: Workers<Worker>;
  readonly sessions: SessionBindings<Worker>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}
