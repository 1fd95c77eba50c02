import type { WorkerLoad } from "#router-wasm";
import type { RoutePreferences } from "../preferences.ts";
import type { Prompt } from "../prompt.ts";
import type { Roster, RoutedWorker } from "../workers.ts";

/** What scorers and pickers may look at. */
export interface Choosing {
  readonly prompt: Prompt;
  readonly preferences: RoutePreferences;
  /** The workers by their index in the core, the same list for as long as none comes or goes. */
  readonly roster: Roster<RoutedWorker>;
  /** Tokens in a block. */
  readonly blockSize: number;
  /** What the worker is busy with, and how much it holds. */
  load(index: number): WorkerLoad;
}

/** Adds to what it costs to send a request to each worker. */
export interface Scorer {
  /**
   * Adds its terms to `terms`, in blocks, by the worker's index in the core: what is above 0 makes a worker dearer, and
   * infinity leaves it out. The core adds them to its own.
   */
  score(terms: Float64Array, choosing: Choosing): void;
}
