import type { RoutedWorker } from "./workers.ts";

/** One worker's part in a request. */
export interface Assignment<Worker extends RoutedWorker> {
  readonly worker: Worker;
  /** The chosen data-parallel rank of the worker. */
  readonly rank: number;
  /** Prompt blocks that it is known or predicted to have cached. */
  readonly overlapBlocks: number;
}

/**
 * Which worker does what for a request. The decode worker answers the client; without other assignments, it does
 * everything.
 */
export interface Plan<Worker extends RoutedWorker> {
  readonly decode: Assignment<Worker>;
  /** Computes the prompt's KV blocks beforehand, and transfers them. */
  readonly prefill?: Assignment<Worker> | undefined;
  /** Encodes the prompt's media beforehand. */
  readonly encode?: Assignment<Worker> | undefined;
}
