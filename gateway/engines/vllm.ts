import { z } from "zod";
import { CACHE_SALT, isAtLeast } from "./cache-salt.ts";
import { vllmDisaggregation } from "./disaggregation/vllm.ts";
import { vllmEncoding } from "./encoding/vllm.ts";
import { reachableEndpoint } from "./endpoint.ts";
import { EngineApiError } from "./errors.ts";
import { groupModels, isOwnedBy, readModelList, readModels } from "./model-list.ts";
import { meanOf, samplesOf, sumOf } from "./prometheus.ts";
import { getAs, listPaths, openAiPaths, optional, permitted, readAs } from "./read.ts";
import type {
  EngineAdapter,
  EngineApi,
  EngineRole,
  EngineTokenizeRequest,
  KvEventOrigin,
  Limitation,
} from "./types.ts";

/** vLLM's own server. */
export const vllm: EngineAdapter = {
  kind: "vllm",
  cachedTokensFlag: "--enable-prompt-tokens-details",
  disaggregation: vllmDisaggregation,
  encoding: vllmEncoding,
  lora: {
    load: "/v1/load_lora_adapter",
    unload: "/v1/unload_lora_adapter",
    advice: "Start vLLM with --enable-lora, and with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 in its environment.",
  },

  structuredOutput: ({ kind, value, param: _ }, { version }) => {
    if (!hasOnlyGuidedFields(version)) return { structured_outputs: { [kind]: value } };
    return kind === "json_object" ? { response_format: { type: kind } } : { [`guided_${kind}`]: value };
  },

  saltFields: (salt, { path, version }) => {
    const since = SALTED_SINCE[path];
    return since !== undefined && isAtLeast(version, since) ? { [CACHE_SALT]: salt } : undefined;
  },

  async probe(api) {
    const models = await readModelList(api);
    const metrics = await optional(api.getText("/metrics"));
    const caches = samplesOf(metrics ?? "", "vllm:cache_config_info");
    if (!isOwnedBy(models, "vllm") && caches.length === 0) return undefined;
    const [version, paths, sources, info] = await Promise.all([
      optional(getAs(api, "/version", z.looseObject({ version: z.string() }))),
      listPaths(api),
      optional(getAs(api, "/kv_event_sources", sourcesSchema)),
      // Only in its developer mode.
      optional(getAs(api, "/server_info?config_format=json", infoSchema)),
    ]);
    const { kv_transfer_config: transfer, ec_transfer_config: encoder } = info?.vllm_config ?? {};
    const isEncoder = encoder?.ec_role === "ec_producer";
    const ranks = Object.entries(sources ?? {});
    const kvEvents = ranks.flatMap(([rank, source]) => zmqSource(api, Number(rank), source));
    const [cache] = caches;
    const hasPrefixCaching = toFlag(cache?.labels.enable_prefix_caching);
    return {
      kind: "vllm",
      version: version?.version,
      startedAt: startOf(metrics),
      models: groupModels(models ?? []),
      blockSize: toCount(cache?.labels.block_size),
      totalBlocks: toCount(cache?.labels.num_gpu_blocks),
      maxBatchedTokens: undefined,
      maxSequences: undefined,
      dataParallelSize: Math.max(1, ranks.length, new Set(caches.map(rankOf)).size),
      hasPrefixCaching,
      kvEvents,
      tokenizes: (paths?.includes("/tokenize") ?? true) ? "chat" : "nothing",
      continuesMessages: true,
      role: isEncoder ? "encode" : ROLES[transfer?.kv_role ?? ""],
      kvLeaseMs: toMs(transfer?.kv_connector_extra_config?.kv_lease_duration),
      paths: openAiPaths(paths),
      limitations: limitationsOf({
        kvEvents,
        reportsSources: sources !== undefined,
        hasPrefixCaching,
        paths,
        caches,
      }),
    };
  },

  async readLoad(api) {
    // The server outlives its engine core for a while; only /health then reports that, with 503.
    const [metrics] = await Promise.all([
      permitted(api.getText("/metrics")),
      permitted(api.getText("/health")),
    ]);
    const text = metrics ?? "";
    return {
      running: sumOf(text, ["vllm:num_requests_running"]),
      waiting: sumOf(text, ["vllm:num_requests_waiting"]),
      kvUsage: meanOf(text, ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"]),
      prefixQueries: sumOf(text, PREFIX_QUERIES),
      prefixHits: sumOf(text, PREFIX_HITS),
      startedAt: startOf(text),
    };
  },

  readModels,

  async tokenize(api, request) {
    const answer = await api.postJson("/tokenize", tokenizeBody(request));
    if (answer === undefined) throw new EngineApiError("unsupported", `${api.url} has no /tokenize.`);
    return Uint32Array.from(readAs(api, "/tokenize", tokensSchema, answer).tokens);
  },
};

/** `structured_outputs` came with 0.11, and `guided_…` left with 0.12. Builds without a release are taken for newer. */
const hasOnlyGuidedFields = (version: string | undefined) => !isAtLeast(version, [0, 11, 0]);

/** The releases in which paths got `cache_salt`; unknown fields are ignored. Those of 0.32 may have had it before. */
const SALTED_SINCE: Readonly<Record<string, readonly [number, number, number]>> = {
  "/v1/chat/completions": [0, 9, 0],
  "/v1/completions": [0, 10, 0],
  "/v1/responses": [0, 10, 0],
  "/v1/messages": [0, 32, 0],
  "/v1/embeddings": [0, 32, 0],
  "/v1/pooling": [0, 32, 0],
  "/v1/classify": [0, 32, 0],
  "/v1/score": [0, 32, 0],
  "/v1/rerank": [0, 32, 0],
};

const PREFIX_QUERIES = ["vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"];
const PREFIX_HITS = ["vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"];

const tokensSchema = z.looseObject({ tokens: z.array(z.uint32()) });

const sourceSchema = z.looseObject({
  endpoint: z.string().nullish(),
  replay_endpoint: z.string().nullish(),
  topic: z.string().nullish(),
});

const infoSchema = z.looseObject({
  vllm_config: z.looseObject({
    kv_transfer_config: z
      .looseObject({
        kv_role: z.string().nullish(),
        kv_connector_extra_config: z.looseObject({ kv_lease_duration: z.number().nullish() }).nullish(),
      })
      .nullish()
      .catch(undefined),
    ec_transfer_config: z.looseObject({ ec_role: z.string().nullish() }).nullish().catch(undefined),
  }),
});

/** `kv_both` does not tell. */
const ROLES: Readonly<Record<string, EngineRole | undefined>> = {
  kv_producer: "prefill",
  kv_consumer: "decode",
};

const toMs = (seconds: number | null | undefined) => (seconds == null ? undefined : seconds * 1000);

/** By data-parallel rank; empty if it publishes none. */
const sourcesSchema = z.record(z.string().regex(/^\d+$/), sourceSchema);

/** Each rank reports its own ports. */
function zmqSource(api: EngineApi, rank: number, source: z.output<typeof sourceSchema>): KvEventOrigin[] {
  const endpoint = reachableEndpoint(source.endpoint, api.url);
  if (endpoint === undefined) return [];
  const replayEndpoint = reachableEndpoint(source.replay_endpoint, api.url);
  return [{ kind: "zmq", rank, endpoint, replayEndpoint, topic: source.topic ?? "" }];
}

/** The fields of a chat completion's body that determine its prompt. */
const CHAT_FIELDS = [
  "messages",
  "tools",
  "documents",
  "add_generation_prompt",
  "continue_final_message",
  "add_special_tokens",
  "chat_template",
  "chat_template_kwargs",
  "reasoning_effort",
  "mm_processor_kwargs",
];

function tokenizeBody(request: EngineTokenizeRequest): Record<string, unknown> {
  if ("prompt" in request) {
    const { model, prompt, isContinued } = request;
    return { model, prompt, ...(isContinued && { add_special_tokens: false }) };
  }
  const { model, chat } = request;
  const fields = CHAT_FIELDS.filter((field) => chat[field] !== undefined && chat[field] !== null);
  return { model, ...Object.fromEntries(fields.map((field) => [field, chat[field]])) };
}

interface Findings {
  kvEvents: readonly KvEventOrigin[];
  reportsSources: boolean;
  hasPrefixCaching: boolean | undefined;
  paths: readonly string[] | undefined;
  caches: readonly unknown[];
}

function limitationsOf({
  kvEvents,
  reportsSources,
  hasPrefixCaching,
  paths,
  caches,
}: Findings): Limitation[] {
  const limitations: Limitation[] = [];
  if (hasPrefixCaching === false) {
    const what = "its prefix caching is off, so no request can reuse what another has computed";
    limitations.push({ code: "prefix-caching", what, flag: "--enable-prefix-caching" });
  } else if (kvEvents.length === 0) {
    const what = reportsSources
      ? "it publishes no KV events, so what its cache holds is predicted from the requests sent to it"
      : "this version does not report where its KV events are, so what its cache holds is predicted";
    limitations.push({ code: "kv-events", what, flag: KV_EVENTS_FLAG });
  } else if (kvEvents.some((source) => source.kind === "zmq" && source.replayEndpoint === undefined)) {
    const what = "lost KV events cannot be replayed, so after a loss its whole cache is forgotten";
    limitations.push({ code: "replay", what, flag: KV_EVENTS_FLAG });
  }
  if (paths !== undefined && !paths.includes("/tokenize")) {
    limitations.push({
      code: "tokenizer",
      what: "it has no /tokenize route, by which prompts could be routed",
      flag: undefined,
    });
  }
  if (caches.length === 0) {
    const what = "it reports neither its load nor its block size: it was started with --disable-log-stats";
    limitations.push({ code: "load", what, flag: undefined });
  }
  return limitations;
}

/** Data-parallel rank r uses port + r, so the two port ranges must not overlap. */
const KV_EVENTS_FLAG = `--kv-events-config '${JSON.stringify({
  enable_kv_cache_events: true,
  publisher: "zmq",
  endpoint: "tcp://*:5557",
  replay_endpoint: "tcp://*:5657",
})}'`;

function startOf(metrics: string | undefined): number | undefined {
  return sumOf(metrics ?? "", ["process_start_time_seconds"]);
}

function rankOf({ labels }: { labels: Readonly<Record<string, string>> }): string {
  return labels.engine ?? "0";
}

function toCount(label: string | undefined): number | undefined {
  return label !== undefined && /^[1-9]\d*$/.test(label) ? Number(label) : undefined;
}

function toFlag(label: string | undefined): boolean | undefined {
  return label === undefined ? undefined : label.toLowerCase() === "true";
}
