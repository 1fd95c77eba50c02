import type { PrefillHereReason } from "./disaggregation/options.ts";
import type { RoutedWorker } from "./workers.ts";

/** One worker's part in a request. */
export interface Assignment<Worker extends RoutedWorker> {
  readonly worker: Worker;
  /** The chosen data-parallel rank of the worker. */
  readonly rank: number;
  /** Prompt blocks that it is known or predicted to have cached. */
  readonly overlapBlocks: number;
}

/** A prefill worker's part in a request, to which its progress is reported. */
export interface PrefillPart<Worker extends RoutedWorker> extends Assignment<Worker> {
  /**
   * It has computed the prompt.
   * @param cachedTokens how many tokens it had cached, if it tells
   * @param microseconds since it was asked
   */
  computed(cachedTokens: number | undefined, microseconds: number): void;
  /** The decode worker has the KV blocks. @param microseconds the time of the transfer, if it tells */
  transferred(microseconds: number | undefined): void;
  /** Frees the booked load, once. */
  free(): void;
}

/**
 * Which worker does what for a request. The decode worker answers the client; without other assignments, it does
 * everything.
 */
export interface Plan<Worker extends RoutedWorker> {
  readonly decode: Assignment<Worker>;
  /** Computes the prompt's KV blocks beforehand, and transfers them. */
  readonly prefill?: PrefillPart<Worker> | undefined;
  /** Why the decode worker computes them although there are prefill workers; otherwise undefined. */
  readonly prefillHere?: PrefillHereReason | undefined;
  /** Encodes the prompt's media beforehand. */
  readonly encode?: Assignment<Worker> | undefined;
}
