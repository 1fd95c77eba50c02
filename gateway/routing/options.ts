import type { CostWeights } from "#router-wasm";
import { DEFAULT_DISAGGREGATION, type DisaggregationOptions } from "./disaggregation/options.ts";
import type { AffinityOptions } from "./filters/affinity.ts";
import type { OtherGateways } from "./load/shared-load.ts";
import { NO_THRESHOLDS, type Thresholds } from "./load/thresholds.ts";
import type { PolicyName } from "./policies/policies.ts";
import type { QueueOptions } from "./queue/options.ts";

export interface RoutingOptions {
  policy: PolicyName;
  /** The other gateways in front of these workers, if there may be any. */
  others?: OtherGateways | undefined;
  weights: Partial<CostWeights>;
  thresholds: Thresholds;
  queue: QueueOptions;
  affinity: AffinityOptions;
  predictions: PredictionTimes;
  disaggregation: DisaggregationOptions;
  limits: IndexLimits;
  /** How many recent decisions to keep for each model; 0 for none. */
  decisionLog: number;
  /** Undefined if no worker's KV events are private. */
  kvEventsKey?: KvEventsKey | undefined;
}

/** What a gateway needs to read private KV events. */
export interface KvEventsKey {
  /** 16 secret bytes, which the workers hash with. */
  readonly hashKey: Uint8Array;
  /** Tells the key apart from others, without telling it. */
  readonly fingerprint: string;
}

/** Limits of each model's index. Beyond them, the blocks stored longest ago are forgotten. */
export interface IndexLimits {
  /** Workers, counting each data-parallel rank. */
  maxWorkers: number;
  maxBlocks: number;
  maxMemoryBytes: number;
}

/** How long a prompt is predicted to stay in the cache of its worker, in seconds; 0 for no predictions. */
export interface PredictionTimes {
  /** For workers that send KV events: until the event arrives, but at most this long. */
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
  disaggregation: DEFAULT_DISAGGREGATION,
  limits: { maxWorkers: 1024, maxBlocks: 4_194_304, maxMemoryBytes: 2 ** 32 },
  decisionLog: 256,
};
