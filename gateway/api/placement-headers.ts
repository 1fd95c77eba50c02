import { encodeHeaderValue } from "../kernel/header-values.ts";
import type { Placement } from "../requests/placement.ts";

/** The response headers that `x-stator-explain` adds. */
export function placementHeaders(placement: Placement): Record<string, string> {
  const { encodeWorkers = [], prefillWorker, prefillHere } = placement;
  return {
    "x-stator-worker": encodeHeaderValue(placement.worker),
    "x-stator-worker-id": encodeHeaderValue(placement.workerId),
    "x-stator-data-parallel-rank": String(placement.dataParallelRank),
    "x-stator-overlap-blocks": String(placement.overlapBlocks),
    ...(encodeWorkers.length > 0 && { "x-stator-encode-worker": encodeHeaderValue(encodeWorkers.join(",")) }),
    ...(prefillWorker !== undefined && { "x-stator-prefill-worker": encodeHeaderValue(prefillWorker) }),
    ...(prefillHere !== undefined && { "x-stator-prefill-here": prefillHere }),
    "x-stator-prompt-blocks": String(placement.promptBlocks),
  };
}
