import type { CostWeights, Policy } from "#router-wasm";
import type { AffinityOptions } from "./affinity.ts";
import type { QueueOptions } from "./queue/options.ts";
import { NO_THRESHOLDS, type Thresholds } from "./thresholds.ts";

export interface RoutingOptions {
  policy: Policy;
  weights: Partial<CostWeights>;
  thresholds: Thresholds;
  queue: QueueOptions;
  affinity: AffinityOptions;
  /** Recent decisions that are kept for each model; 0 keeps none. */
  decisionLog: number;
}

export const DEFAULT_ROUTING: RoutingOptions = {
  policy: "kv",
  weights: {},
  thresholds: NO_THRESHOLDS,
  queue: { limit: 1024, policy: "fcfs", timeoutMs: 60_000, tenantWeights: new Map() },
  affinity: { mode: "off", ttlMs: 600_000 },
  decisionLog: 256,
};
