import type { LoadLimits, WorkerLoad } from "#router-wasm";
import type { ModelCard } from "#runtime";

/** Prefill that counts as too much: tokens, or a share of what the worker evaluates in one step. */
export type PrefillThreshold = { readonly tokens: number } | { readonly share: number };

/** When a worker counts as busy; what is undefined does not count. */
export interface Thresholds {
  /** Share of the worker's KV blocks that running requests hold. */
  readonly busyDecodeBlocks: number | undefined;
  readonly busyPrefillTokens: PrefillThreshold | undefined;
  /** Prefill in steps of the worker from which requests wait in the queue for it. */
  readonly queuePrefillSteps: number | undefined;
}

export const NO_THRESHOLDS: Thresholds = {
  busyDecodeBlocks: undefined,
  busyPrefillTokens: undefined,
  queuePrefillSteps: undefined,
};

type Capacity = Pick<ModelCard, "totalBlocks" | "maxBatchedTokens">;

/** The load from which on a worker is busy. */
export function busyLimits(thresholds: Thresholds, { totalBlocks, maxBatchedTokens }: Capacity): LoadLimits {
  const { busyDecodeBlocks, busyPrefillTokens: prefill } = thresholds;
  // A card without a total says nothing that a share could be taken of.
  const decode =
    busyDecodeBlocks === undefined || totalBlocks === 0 ? undefined : busyDecodeBlocks * totalBlocks;
  const tokens = prefill && ("tokens" in prefill ? prefill.tokens : prefill.share * maxBatchedTokens);
  return { activeDecodeBlocks: decode, activePrefillTokens: tokens };
}

/** The load from which on a worker gets no more requests: it is busy, or they would rather wait. */
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
