/** When a prompt is computed by a prefill worker, if there is one. */
export interface DisaggregationOptions {
  /** Fewest prompt tokens that are not cached where the request would otherwise run. */
  readonly minTokens: number;
  /** Smallest share of the prompt that is not cached there, 0 to 1. */
  readonly minShare: number;
  /**
   * How many times as long as there it may take on a prefill worker: the prompts that wait before it, its own prefill
   * and the transfer.
   */
  readonly maxWait: number;
}

export const DEFAULT_DISAGGREGATION: DisaggregationOptions = { minTokens: 512, minShare: 0.1, maxWait: 4 };

/** Why the router has a prompt computed by the decode worker although there are prefill workers. */
export type LocalPrefillReason =
  /** Too few tokens are not cached. */
  | "short"
  /** Most of the prompt is cached. */
  | "cached"
  /** All prefill workers are busy, by the router's thresholds. */
  | "busy"
  /** It would take too long on a prefill worker: too many prompts wait there, or too much of this one is cached here. */
  | "slower"
  /** No prefill worker is ready that can hand KV blocks to the decode worker. */
  | "none_ready"
  /** The request's KV blocks cannot be handed over. */
  | "unsuited";

/** Why a prompt is computed by the decode worker: the router's reason, or the failure of the prefill worker. */
export type PrefillHereReason = LocalPrefillReason | "failed";
