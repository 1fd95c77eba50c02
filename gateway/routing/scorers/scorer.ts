import type { WorkerLoad } from "#router-wasm";
import type { RoutePreferences } from "../preferences.ts";
import type { Prompt } from "../prompt.ts";
import type { Roster, RoutedWorker } from "../workers.ts";

/** What scorers and pickers can use. */
export interface RoutingContext {
  readonly prompt: Prompt;
  readonly preferences: RoutePreferences;
  /** Slots by their index in the core; the same list until a worker joins or leaves. */
  readonly roster: Roster<RoutedWorker>;
  /** Tokens in a block. */
  readonly blockSize: number;
  /** The slot's load and the size of its cache. */
  load(index: number): WorkerLoad;
}

/** Adds a term to the cost of sending a request to each worker. */
export interface Scorer {
  /** Whether it would add nothing now, so that the router can skip it. Default: never. */
  readonly isIdle?: boolean;
  /**
   * Adds to `terms`, in blocks, by core index. Positive values make a worker more expensive, and infinity excludes it.
   * The core adds the terms to its own.
   */
  score(terms: Float64Array, context: RoutingContext): void;
}
