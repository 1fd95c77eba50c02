import {
  type Counter,
  type Gauge,
  type Histogram,
  itlBuckets,
  type Metrics,
  timesRealTimeBuckets,
  ttftBuckets,
} from "#runtime";

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
  /** Requests for `model` that were sent to `fallback`. */
  fallbacks: Counter<"model" | "fallback">;
  audio: AudioMetrics;
  /** The metrics of one model, with its label already bound, to avoid lookups on the hot path. */
  forModel(model: string): ModelMetrics;
}

/** What workers have transcribed. */
export interface AudioMetrics {
  seconds: Counter<"model">;
  /** Seconds of audio in a second of the worker's compute, of each request. */
  timesRealTime: Histogram<"model">;
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

/** The routing metrics of one model. */
export interface RoutingMetrics {
  /** Queueing time of requests that were dispatched from the queue, in seconds. */
  queueWait: Observer;
  /** How many more cached tokens the engine reported for a request than predicted; 0 if not more. */
  unexpectedTokens: Observer;
  /** How many fewer; 0 if not fewer. */
  missingTokens: Observer;
  /** A request was rejected for lack of capacity. */
  refused(reason: RefusalReason): void;
  cacheOf(worker: string, rank: number): CacheMetrics;
  prefills: PrefillMetrics;
  encodes: EncodeMetrics;
}

/**
 * Where a medium was encoded: by an encode worker that was asked for this request, and may have had it already (`remote`), by one for another request (`shared`), nowhere
 * because its KV is cached (`cached`), by the worker that computes the prompt (`local`), or by that one after an encode
 * worker had failed (`fallback`).
 */
export type EncodePlace = "remote" | "shared" | "cached" | "local" | "fallback";

/** The media of a model that has encode workers. */
export interface EncodeMetrics {
  /** @param reason a few words, joined by `_`; empty unless `local` or `fallback` */
  count(place: EncodePlace, reason: string, media: number): void;
  /** From the request to an encode worker until its answer, in seconds. */
  duration: Observer;
}

/** Where a prompt was computed: by a prefill worker, by the decode worker, or by that one after the other had failed. */
export type PrefillPlace = "remote" | "local" | "fallback";

/** The prompts of a model that has prefill workers. */
export interface PrefillMetrics {
  /** @param reason a few words, joined by `_`; for `remote`, empty */
  count(place: PrefillPlace, reason: string): void;
  /** From the request to a prefill worker until its answer, in seconds. */
  duration: Observer;
  /** Transfers of KV blocks to a decode worker: their time in seconds, and their bytes. */
  transferDuration: Observer;
  transferBytes: Adder;
}

export type RefusalReason = "busy" | "queue_full" | "displaced" | "queue_timeout" | "deadline" | "replaced";

/** A worker's prefix cache, as predicted by the router and as reported by the engine. */
export interface CacheMetrics {
  predicted: Adder;
  reported: Adder;
  /** KV events that could not be read. */
  unreadable: Adder;
  /** Sets why the two persistently differ; undefined if they do not. */
  setCause(cause: string | undefined): void;
  /** Removes the metrics of a worker that has left. */
  remove(): void;
}

interface Adder {
  inc(value: number): void;
}

interface Observer {
  observe(value: number): void;
}

/** The gateway's metrics, with Dynamo's metric names. */
export function createGatewayMetrics(all: Metrics): GatewayMetrics {
  const label = ["model"] as const;
  const perModel = {
    timeToFirstToken: all.histogram(
      "time_to_first_token_seconds",
      "Time from dispatch to the first token.",
      ttftBuckets,
      label,
    ),
    interTokenLatency: all.histogram(
      "inter_token_latency_seconds",
      "Time between two messages with tokens.",
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
      "Prompt blocks that the chosen worker was expected to have cached.",
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
    inflight: all.gauge("inflight_requests", "Requests in flight.", ["model", "endpoint"]),
    duration: all.histogram(
      "request_duration_seconds",
      "Time from a request's arrival to its end.",
      DURATION_BUCKETS,
      ["model", "endpoint"],
    ),
    clientDisconnects: all.counter(
      "disconnected_clients_total",
      "Requests whose client disconnected before the end.",
      label,
    ),
    fallbacks: all.counter(
      "model_fallbacks_total",
      "Requests sent to a fallback model, by requested and fallback model.",
      ["model", "fallback"],
    ),
    audio: {
      seconds: all.counter("audio_seconds_total", "Seconds of audio that workers transcribed.", label),
      timesRealTime: all.histogram(
        "audio_times_real_time",
        "Seconds of audio transcribed in a second of the worker's compute, of each request.",
        timesRealTimeBuckets,
        label,
      ),
    },
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
    "Queueing time of requests that were dispatched from the queue.",
    WAIT_BUCKETS,
    ["model"],
  );
  const refusals = all.counter("router_refusals_total", "Requests rejected for lack of capacity.", [
    "model",
    "reason",
  ]);
  const drift = all.histogram(
    "router_cache_drift_tokens",
    "By how many tokens an engine's reported cached tokens exceeded (unexpected) or fell short of (missing) the router's prediction; each request counts in both directions, in one of them as 0.",
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
    "KV events of a worker that could not be read, so that its cache is not fully known.",
    perRank,
  );
  const drifting = all.gauge(
    "router_cache_drifting",
    "1 while a worker's reports persistently differ from the router's predictions, by likely cause.",
    [...perRank, "cause"],
  );
  const prefills = createPrefillMetrics(all);
  const encodes = createEncodeMetrics(all);
  return (model) => ({
    prefills: prefills(model),
    encodes: encodes(model),
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

function createEncodeMetrics(all: Metrics): (model: string) => EncodeMetrics {
  const places = all.counter(
    "encodes_total",
    "Media of models with encode workers: encoded by one of those, or found there (remote), for another request (shared), not at all because their KV is cached (cached), by the worker that computes the prompt because of the reason (local), or by that worker after an encode worker had failed (fallback).",
    ["model", "place", "reason"],
  );
  const duration = all.histogram(
    "remote_encode_seconds",
    "Time from the request to an encode worker until its answer.",
    DURATION_BUCKETS,
    ["model"],
  );
  return (model) => ({
    count(place, reason, media) {
      if (media > 0) places.inc({ model, place, reason }, media);
    },
    duration: duration.labels({ model }),
  });
}

function createPrefillMetrics(all: Metrics): (model: string) => PrefillMetrics {
  const label = ["model"] as const;
  const places = all.counter(
    "prefills_total",
    "Prompts of models with prefill workers: computed by one of those (remote), by the decode worker because of the reason (local), or by the decode worker after a prefill worker or a transfer had failed (fallback).",
    ["model", "place", "reason"],
  );
  const duration = all.histogram(
    "remote_prefill_seconds",
    "Time from the request to a prefill worker until its answer.",
    DURATION_BUCKETS,
    label,
  );
  const transfers = all.histogram(
    "kv_transfer_seconds",
    "Time of the transfer of a prompt's KV blocks to the decode worker, as that one reports it.",
    WAIT_BUCKETS,
    label,
  );
  const bytes = all.counter(
    "kv_transfer_bytes_total",
    "Bytes of KV blocks transferred to decode workers, as those report them.",
    label,
  );
  return (model) => ({
    count: (place, reason) => places.inc({ model, place, reason }),
    duration: duration.labels({ model }),
    transferDuration: transfers.labels({ model }),
    transferBytes: bytes.labels({ model }),
  });
}
