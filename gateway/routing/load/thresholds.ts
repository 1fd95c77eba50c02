import type { LoadLimits, WorkerLoad } from "#router-wasm";
import type { ModelCard } from "#runtime";

/** An amount of prefill: tokens, or a share of what the worker evaluates in one step. */
export type PrefillThreshold = { readonly tokens: number } | { readonly share: number };

/** When a worker counts as busy; undefined thresholds have no effect. */
export interface Thresholds {
  /** Share of the worker's KV blocks that running requests use. */
  readonly busyDecodeBlocks: number | undefined;
  readonly busyPrefillTokens: PrefillThreshold | undefined;
  /** Pending prefill, in steps of the worker, from which requests wait in the queue. */
  readonly queuePrefillSteps: number | undefined;
}

export const NO_THRESHOLDS: Thresholds = {
  busyDecodeBlocks: undefined,
  busyPrefillTokens: undefined,
  queuePrefillSteps: undefined,
};

type Capacity = Pick<ModelCard, "totalBlocks" | "maxBatchedTokens">;

/** The load at which a worker is busy. */
export function busyLimits(thresholds: Thresholds, { totalBlocks, maxBatchedTokens }: Capacity): LoadLimits {
  const { busyDecodeBlocks, busyPrefillTokens: prefill } = thresholds;
  // Without the total in the card, the share is unknown.
  const decode =
    busyDecodeBlocks === undefined || totalBlocks === 0 ? undefined : busyDecodeBlocks * totalBlocks;
  const tokens = prefill && ("tokens" in prefill ? prefill.tokens : prefill.share * maxBatchedTokens);
  return { activeDecodeBlocks: decode, activePrefillTokens: tokens };
}

/** The load at which a worker gets no more requests, because it is busy or they wait in the queue. */
export function candidateLimits(thresholds: Thresholds, card: Capacity): LoadLimits {
  const busy = busyLimits(thresholds, card);
  if (thresholds.queuePrefillSteps === undefined) return busy;
  const queue = thresholds.queuePrefillSteps * card.maxBatchedTokens;
  return { ...busy, activePrefillTokens: Math.min(queue, busy.activePrefillTokens ?? queue) };
}

export function isAtLimit(load: WorkerLoad, limits: LoadLimits): boolean {
  const { activePrefillTokens = Infinity, activeDecodeBlocks = Infinity } = limits;
  return load.activePrefillTokens >= activePrefillTokens || load.activeDecodeBlocks >= activeDecodeBlocks;
}
