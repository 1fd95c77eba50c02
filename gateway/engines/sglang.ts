import { z } from "zod";
import { rankEndpoint } from "#runtime";
import { jsonOf } from "../kernel/json.ts";
import { CACHE_SALT, isAtLeast } from "./cache-salt.ts";
import { regexOfChoice, responseFormat, schemaOf } from "./constraint.ts";
import { sglangDisaggregation } from "./disaggregation/sglang.ts";
import { ENCODER_PROFILE, isEncoder, registryOf, sglangEncoderRegistry } from "./encoding/sglang.ts";
import { reachableEndpoint } from "./endpoint.ts";
import { EngineApiError } from "./errors.ts";
import { groupModels, readModelList } from "./model-list.ts";
import { meanOf, type Sample, sumOf } from "./prometheus.ts";
import { getAs, listPaths, openAiPaths, optional, permitted, readAs } from "./read.ts";
import type {
  EngineAdapter,
  EngineApi,
  EngineModel,
  EngineRole,
  KvEventOrigin,
  Limitation,
} from "./types.ts";

/** SGLang's server. */
export const sglang: EngineAdapter = {
  kind: "sglang",
  cachedTokensFlag: "--enable-cache-report",
  disaggregation: sglangDisaggregation,
  encoderRegistry: sglangEncoderRegistry,
  lora: {
    load: "/load_lora_adapter",
    unload: "/unload_lora_adapter",
    advice: "Start SGLang with --enable-lora, --max-lora-rank and --lora-target-modules.",
  },
  loraFields: (name) => ({ lora_path: name }),

  structuredOutput: (constraint, { isChat }) => {
    switch (constraint.kind) {
      case "regex":
        return { regex: constraint.value };
      case "choice":
        return { regex: regexOfChoice(constraint.value) };
      case "grammar":
        return { ebnf: constraint.value };
      case "json":
      case "json_object":
        if (isChat) return responseFormat(constraint);
        // Completions take the schema as text.
        return { json_schema: JSON.stringify(schemaOf(constraint)) };
    }
  },

  saltFields: (salt, { path, version }) =>
    SALTED_PATHS.has(path) && isAtLeast(version, [0, 5, 4]) ? { [CACHE_SALT]: salt } : undefined,

  async probe(api) {
    const info = await serverInfo(api);
    if (info === undefined) return isEncoder(await listPaths(api)) ? ENCODER_PROFILE : undefined;
    const [models, metrics, paths] = await Promise.all([
      modelsOf(api, info),
      optional(api.getText("/metrics")),
      listPaths(api),
    ]);
    const dataParallelSize = info.dp_size ?? 1;
    const kvEvents = eventSources(api, info.kv_events_config, dataParallelSize);
    const hasPrefixCaching = info.disable_radix_cache == null ? undefined : !info.disable_radix_cache;
    const blockSize = info.page_size ?? undefined;
    const totalTokens = info.max_total_num_tokens ?? undefined;
    return {
      kind: "sglang",
      version: info.version ?? undefined,
      startedAt: sumOf(metrics ?? "", ["process_start_time_seconds"]),
      models,
      blockSize,
      totalBlocks: totalTokens && blockSize && Math.floor(totalTokens / blockSize),
      maxBatchedTokens: info.chunked_prefill_size ?? info.max_prefill_tokens ?? undefined,
      maxSequences: info.max_running_requests ?? undefined,
      dataParallelSize,
      hasPrefixCaching,
      kvEvents,
      tokenizes: paths?.includes("/tokenize") ? "text" : "nothing",
      continuesMessages: true,
      role: roleOf(info),
      bootstrapPort: info.disaggregation_bootstrap_port ?? undefined,
      encoderRegistry: info.language_only
        ? registryOf(api.url, paths, info.encoder_bootstrap_port ?? undefined)
        : undefined,
      paths: openAiPaths(paths),
      limitations: limitationsOf(info, kvEvents, hasPrefixCaching, metrics),
    };
  },

  async readLoad(api) {
    const text = (await permitted(api.getText("/metrics"))) ?? "";
    return {
      running: sumOf(text, ["sglang:num_running_reqs"], isFirstOfTensorRanks),
      waiting: sumOf(text, ["sglang:num_queue_reqs"], isFirstOfTensorRanks),
      kvUsage: meanOf(text, ["sglang:token_usage"], isFirstOfTensorRanks),
      prefixQueries: sumOf(text, ["sglang:prompt_tokens_total"]),
      prefixHits: sumOf(text, ["sglang:cached_tokens_total"]),
      startedAt: sumOf(text, ["process_start_time_seconds"]),
    };
  },

  async readModels(api) {
    const info = await serverInfo(api);
    if (info !== undefined) return modelsOf(api, info);
    if (isEncoder(await listPaths(api))) return [];
    throw new EngineApiError("not_readable", `${api.url} no longer has /server_info.`);
  },

  async tokenize(api, request) {
    if (!("prompt" in request)) {
      throw new EngineApiError("unsupported", `${api.url} can tokenize text, but not chats.`);
    }
    const { model, prompt, isContinued } = request;
    const body = { model, prompt, ...(isContinued && { add_special_tokens: false }) };
    const answer = await api.postJson("/tokenize", body);
    if (answer === undefined) throw new EngineApiError("unsupported", `${api.url} has no /tokenize.`);
    return Uint32Array.from(readAs(api, "/tokenize", tokensSchema, answer).tokens);
  },
};

/** The paths that have `cache_salt`. Some versions until 2026 accept it without effect, which `stator doctor` finds. */
const SALTED_PATHS = new Set(["/v1/chat/completions", "/v1/completions", "/v1/responses"]);

const tokensSchema = z.looseObject({ tokens: z.array(z.uint32()) });

const count = z.number().int().positive().nullish().catch(undefined);

const infoSchema = z.looseObject({
  model_path: z.string(),
  version: z.string().nullish().catch(undefined),
  served_model_name: z.string().nullish().catch(undefined),
  context_length: count,
  page_size: count,
  dp_size: count,
  max_total_num_tokens: count,
  max_running_requests: count,
  max_prefill_tokens: count,
  /** −1 turns off chunked prefill. */
  chunked_prefill_size: count,
  disable_radix_cache: z.boolean().nullish().catch(undefined),
  enable_cache_report: z.boolean().nullish().catch(undefined),
  /** `null`: aggregated; some versions write it as text. */
  disaggregation_mode: z.string().nullish().catch(undefined),
  disaggregation_bootstrap_port: count,
  /** Whether it has no encoder of its own, and at which port it is told of others. */
  language_only: z.boolean().nullish().catch(undefined),
  encoder_bootstrap_port: count,
  /** A JSON string, as given on the command line. */
  kv_events_config: z.string().nullish().catch(undefined),
});

type ServerInfo = z.output<typeof infoSchema>;

/** Tries the route's new name, then its old one. Undefined if the server is not SGLang. */
async function serverInfo(api: EngineApi): Promise<ServerInfo | undefined> {
  for (const path of ["/server_info", "/get_server_info"]) {
    const info = await optional(getAs(api, path, infoSchema));
    if (info !== undefined) return info;
  }
  return undefined;
}

/** Undefined if the version does not report it. */
function roleOf({ disaggregation_mode: mode }: ServerInfo): EngineRole | undefined {
  if (mode === undefined) return undefined;
  return mode === "prefill" || mode === "decode" ? mode : "aggregated";
}

/** Data-parallel ranks report their own values; tensor-parallel ranks all report the same, so one is enough. */
function isFirstOfTensorRanks({ tp_rank = "0" }: Sample["labels"]): boolean {
  return tp_rank === "0";
}

async function modelsOf(api: EngineApi, info: ServerInfo): Promise<EngineModel[]> {
  const listed = (await readModelList(api)) ?? [{ id: info.served_model_name ?? info.model_path }];
  return groupModels(listed).map((model) => completed(model, info));
}

/** A listed model, completed from the server's description. */
function completed(model: EngineModel, info: ServerInfo): EngineModel {
  const isServed = model.source === undefined || model.source === model.name;
  return {
    ...model,
    source: isServed ? info.model_path : model.source,
    contextLength: model.contextLength ?? info.context_length ?? undefined,
  };
}

const eventsConfigSchema = z.looseObject({
  publisher: z.string().nullish(),
  endpoint: z.string().default("tcp://*:5557"),
  replay_endpoint: z.string().nullish(),
  topic: z.string().default(""),
});

/** Rank r publishes on port + r. */
function eventSources(api: EngineApi, config: string | null | undefined, ranks: number): KvEventOrigin[] {
  const read = eventsConfigSchema.safeParse(jsonOf(config ?? ""));
  if (!read.success || read.data.publisher !== "zmq") return [];
  const { replay_endpoint, topic } = read.data;
  const endpoint = reachableEndpoint(read.data.endpoint, api.url);
  const replay = reachableEndpoint(replay_endpoint, api.url);
  if (endpoint === undefined) return [];
  return Array.from({ length: ranks }, (_, rank) => ({
    kind: "zmq",
    rank,
    endpoint: rankEndpoint(endpoint, rank),
    replayEndpoint: replay && rankEndpoint(replay, rank),
    topic,
  }));
}

function limitationsOf(
  info: ServerInfo,
  kvEvents: readonly KvEventOrigin[],
  hasPrefixCaching: boolean | undefined,
  metrics: string | undefined,
): Limitation[] {
  const limitations: Limitation[] = [];
  if (hasPrefixCaching === false) {
    const what =
      "its radix cache is off (--disable-radix-cache), so no request can reuse what another has computed";
    limitations.push({ code: "prefix-caching", what, flag: undefined });
  } else if (kvEvents.length === 0) {
    const what =
      "it publishes no KV events, so what its cache holds is predicted from the requests sent to it";
    limitations.push({ code: "kv-events", what, flag: KV_EVENTS_FLAG });
  } else if (kvEvents.some((source) => source.kind === "zmq" && source.replayEndpoint === undefined)) {
    const what = "lost KV events cannot be replayed, so after a loss its whole cache is forgotten";
    limitations.push({ code: "replay", what, flag: KV_EVENTS_FLAG });
  }
  if (info.enable_cache_report === false) {
    const what =
      "its answers do not report how much of a prompt came from its cache, so wrong predictions go unnoticed";
    limitations.push({ code: "cached-tokens", what, flag: "--enable-cache-report" });
  }
  if (metrics === undefined) {
    limitations.push({ code: "load", what: "it does not report its load", flag: "--enable-metrics" });
  }
  return limitations;
}

const KV_EVENTS_FLAG = `--kv-events-config '${JSON.stringify({
  publisher: "zmq",
  endpoint: "tcp://*:5557",
  replay_endpoint: "tcp://*:5657",
  topic: "kv-events",
})}'`;
