import { type Counter, type Gauge, type Histogram, itlBuckets, type Metrics, ttftBuckets } from "#runtime";

const TOKEN_BUCKETS = [16, 64, 256, 1024, 4096, 16_384, 65_536, 131_072];
const BLOCK_BUCKETS = [0, 1, 4, 16, 64, 256, 1024, 4096];
const DURATION_BUCKETS = [...ttftBuckets, 300, 600];

export interface GatewayMetrics {
  readonly all: Metrics;
  requests: Counter<"model" | "endpoint" | "status">;
  inflight: Gauge<"model" | "endpoint">;
  duration: Histogram<"model" | "endpoint">;
  clientDisconnects: Counter<"model">;
  /** The metrics of one model, with their label already bound: the hot path looks nothing up. */
  forModel(model: string): ModelMetrics;
}

export interface ModelMetrics {
  timeToFirstToken: Observer;
  interTokenLatency: Observer;
  inputTokens: Observer;
  outputTokens: Observer;
  overlapBlocks: Observer;
  outputTokensTotal: { inc(value: number): void };
  cachedTokensTotal: { inc(value: number): void };
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
    forModel: (model) => ({
      timeToFirstToken: perModel.timeToFirstToken.labels({ model }),
      interTokenLatency: perModel.interTokenLatency.labels({ model }),
      inputTokens: perModel.inputTokens.labels({ model }),
      outputTokens: perModel.outputTokens.labels({ model }),
      overlapBlocks: perModel.overlapBlocks.labels({ model }),
      outputTokensTotal: perModel.outputTokensTotal.labels({ model }),
      cachedTokensTotal: perModel.cachedTokensTotal.labels({ model }),
    }),
  };
}
