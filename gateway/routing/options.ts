import type { CostWeights } from "#router-wasm";
import type { AffinityOptions } from "./filters/affinity.ts";
import { NO_THRESHOLDS, type Thresholds } from "./load/thresholds.ts";
import type { PolicyName } from "./policies/policies.ts";
import type { QueueOptions } from "./queue/options.ts";
import type { GatewayShares } from "./scorers/own-share.ts";

export interface RoutingOptions {
  policy: PolicyName;
  /** The gateways that send requests to the same workers, where there are several. */
  gateways?: (() => GatewayShares) | undefined;
  weights: Partial<CostWeights>;
  thresholds: Thresholds;
  queue: QueueOptions;
  affinity: AffinityOptions;
  predictions: PredictionTimes;
  limits: IndexLimits;
  /** Recent decisions that are kept for each model; 0 keeps none. */
  decisionLog: number;
}

/** How large each model's index may get. Beyond, what was stored longest ago is forgotten. */
export interface IndexLimits {
  /** Workers, each data-parallel rank for itself. */
  maxWorkers: number;
  maxBlocks: number;
  maxMemoryBytes: number;
}

/** How long a worker is expected to hold what it was sent, in seconds; 0: not at all. */
export interface PredictionTimes {
  /** For workers that send KV events: until the event has come, and no longer than this. */
  eventTtlSeconds: number;
  /** For workers that send none. */
  onlyTtlSeconds: number;
}

export const DEFAULT_ROUTING: RoutingOptions = {
  policy: "kv",
  weights: {},
  thresholds: NO_THRESHOLDS,
  queue: { limit: 1024, policy: "fcfs", timeoutMs: 60_000, tenantWeights: new Map() },
  affinity: { mode: "off", ttlMs: 600_000 },
  predictions: { eventTtlSeconds: 20, onlyTtlSeconds: 600 },
  limits: { maxWorkers: 1024, maxBlocks: 4_194_304, maxMemoryBytes: 2 ** 32 },
  decisionLog: 256,
};
