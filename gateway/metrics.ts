import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Seconds. From a cached prompt on a GPU to a long one on a laptop. */
const TTFT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const ITL_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2.5];
const DURATION_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const TOKEN_BUCKETS = [16, 64, 256, 1024, 4096, 16_384, 65_536, 131_072];

export interface GatewayMetrics {
  readonly registry: Registry;
  requests: Counter<"model" | "endpoint" | "status">;
  inflight: Gauge<"model" | "endpoint">;
  duration: Histogram<"model" | "endpoint">;
  clientDisconnects: Counter<"model">;
  /** The histograms of one model, with their label already bound: the hot path looks nothing up. */
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

/** The gateway's own metrics, with Dynamo's family names behind `stator_`. */
export function createGatewayMetrics(registry: Registry): GatewayMetrics {
  const registers = [registry];
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: Label[],
  ) => new Histogram({ name, help, buckets, labelNames, registers });
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });

  const perModel = {
    timeToFirstToken: histogram(
      "stator_time_to_first_token_seconds",
      "From dispatch to the first token.",
      TTFT_BUCKETS,
      ["model"],
    ),
    interTokenLatency: histogram(
      "stator_inter_token_latency_seconds",
      "Between two messages of tokens.",
      ITL_BUCKETS,
      ["model"],
    ),
    inputTokens: histogram(
      "stator_input_sequence_tokens",
      "Prompt tokens of a finished request.",
      TOKEN_BUCKETS,
      ["model"],
    ),
    outputTokens: histogram(
      "stator_output_sequence_tokens",
      "Output tokens of a finished request.",
      TOKEN_BUCKETS,
      ["model"],
    ),
    overlapBlocks: histogram(
      "stator_router_overlap_blocks",
      "Prompt blocks that the chosen worker was known to hold.",
      [0, 1, 4, 16, 64, 256, 1024, 4096],
      ["model"],
    ),
    outputTokensTotal: counter("stator_output_tokens_total", "Output tokens of finished requests.", [
      "model",
    ]),
    cachedTokensTotal: counter(
      "stator_cached_tokens_total",
      "Prompt tokens that the engines took from their prefix caches.",
      ["model"],
    ),
  };
  return {
    registry,
    requests: counter("stator_requests_total", "Requests by outcome.", ["model", "endpoint", "status"]),
    inflight: new Gauge({
      name: "stator_inflight_requests",
      help: "Requests that are being answered.",
      labelNames: ["model", "endpoint"],
      registers,
    }),
    duration: histogram(
      "stator_request_duration_seconds",
      "From the request's arrival to its end.",
      DURATION_BUCKETS,
      ["model", "endpoint"],
    ),
    clientDisconnects: counter(
      "stator_disconnected_clients_total",
      "Requests whose client went away before the end.",
      ["model"],
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
