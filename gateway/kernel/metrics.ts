import { type Counter, type Gauge, type Histogram, itlBuckets, type Metrics, ttftBuckets } from "#runtime";

const TOKEN_BUCKETS = [16, 64, 256, 1024, 4096, 16_384, 65_536, 131_072];
const BLOCK_BUCKETS = [0, 1, 4, 16, 64, 256, 1024, 4096];
const DRIFT_BUCKETS = [0, 64, 256, 1024, 4096, 16_384];
const WAIT_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const DURATION_BUCKETS = [...ttftBuckets, 300, 600];

export interface GatewayMetrics {
  readonly all: Metrics;
  requests: Counter<"model" | "endpoint" | "status">;
  inflight: Gauge<"model" | "endpoint">;
  duration: Histogram<"model" | "endpoint">;
  clientDisconnects: Counter<"model">;
  /** Requests to `model` that `fallback` was asked to answer. */
  fallbacks: Counter<"model" | "fallback">;
  /** The metrics of one model, with their label already bound: the hot path looks nothing up. */
  forModel(model: string): ModelMetrics;
}

export interface ModelMetrics {
  timeToFirstToken: Observer;
  interTokenLatency: Observer;
  inputTokens: Observer;
  outputTokens: Observer;
  overlapBlocks: Observer;
  outputTokensTotal: Adder;
  cachedTokensTotal: Adder;
  routing: RoutingMetrics;
}

/** What routing measures of one model. */
export interface RoutingMetrics {
  /** Time in the queue of requests that were served from it, in seconds. */
  queueWait: Observer;
  /** How many more cached tokens the engine reported of a request than were predicted; 0 where not more. */
  unexpectedTokens: Observer;
  /** How many fewer; 0 where not fewer. */
  missingTokens: Observer;
  /** A request was refused for want of capacity. */
  refused(reason: RefusalReason): void;
  cacheOf(worker: string, rank: number): CacheMetrics;
}

export type RefusalReason = "busy" | "queue_full" | "displaced" | "queue_timeout" | "deadline" | "replaced";

/** A worker's prefix cache as the router predicts it and as the engine reports it. */
export interface CacheMetrics {
  predicted: Adder;
  reported: Adder;
  /** KV events that could not be read. */
  unreadable: Adder;
  /** Why the two differ persistently; undefined where they do not. */
  setCause(cause: string | undefined): void;
  /** The worker has gone. */
  remove(): void;
}

interface Adder {
  inc(value: number): void;
}

interface Observer {
  observe(value: number): void;
}

/** The gateway's own metrics, with Dynamo's family names. */
export function createGatewayMetrics(all: Metrics): GatewayMetrics {
  const label = ["model"] as const;
  const perModel = {
    timeToFirstToken: all.histogram(
      "time_to_first_token_seconds",
      "From dispatch to the first token.",
      ttftBuckets,
      label,
    ),
    interTokenLatency: all.histogram(
      "inter_token_latency_seconds",
      "Between two messages of tokens.",
      itlBuckets,
      label,
    ),
    inputTokens: all.histogram(
      "input_sequence_tokens",
      "Prompt tokens of a finished request.",
      TOKEN_BUCKETS,
      label,
    ),
    outputTokens: all.histogram(
      "output_sequence_tokens",
      "Output tokens of a finished request.",
      TOKEN_BUCKETS,
      label,
    ),
    overlapBlocks: all.histogram(
      "router_overlap_blocks",
      "Prompt blocks that the chosen worker was known to hold.",
      BLOCK_BUCKETS,
      label,
    ),
    outputTokensTotal: all.counter("output_tokens_total", "Output tokens of finished requests.", label),
    cachedTokensTotal: all.counter(
      "cached_tokens_total",
      "Prompt tokens that engines took from their prefix caches.",
      label,
    ),
  };
  const routing = createRoutingMetrics(all);
  return {
    all,
    requests: all.counter("requests_total", "Requests by outcome.", ["model", "endpoint", "status"]),
    inflight: all.gauge("inflight_requests", "Requests that are being answered.", ["model", "endpoint"]),
    duration: all.histogram(
      "request_duration_seconds",
      "From a request's arrival to its end.",
      DURATION_BUCKETS,
      ["model", "endpoint"],
    ),
    clientDisconnects: all.counter(
      "disconnected_clients_total",
      "Requests whose client left before the end.",
      label,
    ),
    fallbacks: all.counter(
      "model_fallbacks_total",
      "Requests that another model was asked to answer, by the model that could not and the one asked.",
      ["model", "fallback"],
    ),
    forModel: (model) => ({
      timeToFirstToken: perModel.timeToFirstToken.labels({ model }),
      interTokenLatency: perModel.interTokenLatency.labels({ model }),
      inputTokens: perModel.inputTokens.labels({ model }),
      outputTokens: perModel.outputTokens.labels({ model }),
      overlapBlocks: perModel.overlapBlocks.labels({ model }),
      outputTokensTotal: perModel.outputTokensTotal.labels({ model }),
      cachedTokensTotal: perModel.cachedTokensTotal.labels({ model }),
      routing: routing(model),
    }),
  };
}

function createRoutingMetrics(all: Metrics): (model: string) => RoutingMetrics {
  const perRank = ["model", "worker", "rank"] as const;
  const queueWait = all.histogram(
    "router_queue_wait_seconds",
    "Time in the queue of requests that were served from it.",
    WAIT_BUCKETS,
    ["model"],
  );
  const refusals = all.counter("router_refusals_total", "Requests refused for want of capacity.", [
    "model",
    "reason",
  ]);
  const drift = all.histogram(
    "router_cache_drift_tokens",
    "By how many tokens what an engine reported as cached of a request was more (unexpected) or less (missing) than the router predicted; each request counts in both directions, in one of them as 0.",
    DRIFT_BUCKETS,
    ["model", "direction"],
  );
  const predicted = all.counter(
    "router_predicted_cached_tokens_total",
    "Prompt tokens that the router expected in the chosen worker's prefix cache.",
    perRank,
  );
  const reported = all.counter(
    "router_reported_cached_tokens_total",
    "Prompt tokens of the same requests that the engine took from its prefix cache.",
    perRank,
  );
  const unreadable = all.counter(
    "router_unreadable_kv_events_total",
    "KV events of a worker that could not be read, and are missing from what is known of its cache.",
    perRank,
  );
  const drifting = all.gauge(
    "router_cache_drifting",
    "1 while a worker's reports persistently differ from the router's predictions, by likely cause.",
    [...perRank, "cause"],
  );
  return (model) => ({
    queueWait: queueWait.labels({ model }),
    unexpectedTokens: drift.labels({ model, direction: "unexpected" }),
    missingTokens: drift.labels({ model, direction: "missing" }),
    refused: (reason) => refusals.inc({ model, reason }),
    cacheOf(worker, rank) {
      const labels = { model, worker, rank: String(rank) };
      let cause: string | undefined;
      const setCause = (now: string | undefined) => {
        if (cause !== undefined) drifting.remove({ ...labels, cause });
        if (now !== undefined) drifting.set({ ...labels, cause: now }, 1);
        cause = now;
      };
      return {
        predicted: predicted.labels(labels),
        reported: reported.labels(labels),
        unreadable: unreadable.labels(labels),
        setCause,
        remove() {
          setCause(undefined);
          predicted.remove(labels);
          reported.remove(labels);
          unreadable.remove(labels);
        },
      };
    },
  });
}
