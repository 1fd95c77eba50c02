import type { RoutedWorker } from "./workers.ts";

/** One worker's part in a request. */
export interface Placed<Worker extends RoutedWorker> {
  readonly worker: Worker;
  /** The worker's data-parallel rank that was chosen. */
  readonly rank: number;
  /** Blocks of the prompt that it is known to hold. */
  readonly overlapBlocks: number;
}

/**
 * Who does what for a request. The worker that decodes answers the client; where nobody else is named, it does all of it.
 */
export interface Plan<Worker extends RoutedWorker> {
  readonly decode: Placed<Worker>;
  /** Computes the prompt's KV blocks beforehand, and hands them over. */
  readonly prefill?: Placed<Worker> | undefined;
  /** Encodes the prompt's media beforehand. */
  readonly encode?: Placed<Worker> | undefined;
}
