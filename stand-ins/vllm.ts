import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Dialect, TokenUsage } from "./core/dialect.ts";
import { withPlaceholders } from "./core/media.ts";
import { METRICS_TYPE, type Metric, writeMetrics } from "./core/metrics-text.ts";
import { chatFields, mediumIn, type OpenAiRequest } from "./core/openai-request.ts";
import type { StandInOptions } from "./core/options.ts";
import type { StandInRank } from "./core/rank.ts";
import type { StandInReply, StandInRoute } from "./core/server.ts";
import { describeRoutes, type StandIn, type StandInContext, startStandIn } from "./core/stand-in.ts";
import { renderChat } from "./core/template.ts";
import { detokenize, tokenize } from "./core/tokens.ts";
import { vllmRole } from "./vllm-role.ts";

/** The release that it claims to be. */
const VERSION = "0.32.0";

/**
 * A stand-in for vLLM's server.
 *
 * @example
 * await using vllm = await startVllm({ kvEvents: { replayPort: 0 } });
 * await fetch(`${vllm.url}/v1/models`);
 */
export function startVllm(options: StandInOptions = {}): Promise<StandIn> {
  return startStandIn({ dialect, routes, refuse: (status, message) => refuse(status, message) }, options);
}

function refuse(status: number, message: string, param: string | null = null): StandInReply {
  const type = TYPES[status] ?? "InternalServerError";
  return { status, json: { error: { message, type, param, code: status } } };
}

const KV_EVENTS_CONFIG = {
  enable_kv_cache_events: true,
  publisher: "zmq",
  buffer_steps: 10_000,
  hwm: 100_000,
  max_queue_size: 100_000,
};

const TYPES: Record<number, string> = {
  400: "BadRequestError",
  401: "AuthenticationError",
  404: "NotFoundError",
};

function dialect(context: StandInContext): Dialect {
  const reports = context.options.reportsCachedTokens ?? true;
  return {
    handoff: vllmRole(context, refuse),
    takesMedia: takesMedia(context),
    continuing: "asked",
    roleDelta: { role: "assistant", content: "" },
    hasFinishChunk: false,
    newId(surface, requestId) {
      const id = requestId ?? randomUUID().replaceAll("-", "");
      return surface === "chat" ? `chatcmpl-${id}` : `cmpl-${id}`;
    },
    chunkFields: {},
    finishFields: () => ({}),
    answerFields: () => ({
      service_tier: null,
      system_fingerprint: null,
      prompt_logprobs: null,
      prompt_token_ids: null,
      kv_transfer_params: null,
    }),
    choiceFields: (_, finish) => ({
      logprobs: null,
      ...(finish !== undefined && { stop_reason: finish.stop ?? null }),
      token_ids: null,
    }),
    deltaFields: {},
    finishDelta: {},
    messageFields: {
      refusal: null,
      annotations: null,
      audio: null,
      function_call: null,
      tool_calls: [],
      reasoning: null,
    },
    usage: (usage) => writeUsage(usage, reports),
    check: (request) => check(context, request),
    malformed: (message) => refuse(400, message),
  };
}

const takesMedia = ({ options }: StandInContext) => options.takesMedia ?? options.role === "encode";

function writeUsage(
  { promptTokens, completionTokens, cachedTokens }: TokenUsage,
  reports: boolean,
): Record<string, unknown> {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
    prompt_tokens_details: reports ? { cached_tokens: cachedTokens } : null,
  };
}

function check(
  { engine, names }: StandInContext,
  { model, tokens, maxTokens }: OpenAiRequest,
): StandInReply | undefined {
  if (model !== undefined && !names.includes(model)) return noModel(model);
  const { contextLength } = engine;
  if (tokens.length + maxTokens <= contextLength) return undefined;
  return refuse(
    400,
    `This model's maximum context length is ${contextLength} tokens. However, you requested ${maxTokens} output tokens and your prompt contains ${tokens.length} input tokens. Please reduce the length of the input prompt or the number of requested output tokens.`,
    "input_tokens",
  );
}

function noModel(model: string): StandInReply {
  return refuse(404, `The model \`${model}\` does not exist.`, "model");
}

function routes(context: StandInContext): Record<string, StandInRoute> {
  const { engine, kvEvents } = context;
  const own: Record<string, StandInRoute> = {
    "GET /health": () => ({ text: "" }),
    "GET /ping": () => ({ text: "" }),
    "GET /version": () => ({ json: { version: VERSION } }),
    "GET /load": () => ({ json: { server_load: engine.sum((rank) => rank.running + rank.waiting) } }),
    "GET /v1/models": () => ({ json: { object: "list", data: modelsOf(context) } }),
    "GET /kv_event_sources": () => ({
      json: Object.fromEntries(
        kvEvents.map(({ rank, endpoint, replayEndpoint = null, topic }) => [
          rank,
          { ...KV_EVENTS_CONFIG, endpoint, replay_endpoint: replayEndpoint, topic },
        ]),
      ),
    }),
    "POST /tokenize": ({ body }) => tokenizeRoute(context, body),
    "POST /detokenize": ({ body }) => {
      const read = z.looseObject({ tokens: z.array(z.number()) }).safeParse(body);
      return read.success
        ? { json: { prompt: detokenize(read.data.tokens) } }
        : refuse(400, "tokens: missing");
    },
    "POST /reset_prefix_cache": () => {
      const isReset = engine.ranks.map((rank) => rank.reset()).every(Boolean);
      return { status: isReset ? 200 : 503, text: "" };
    },
  };
  if (context.options.hasMetrics ?? true) {
    own["GET /metrics"] = () => ({ text: writeMetrics(metricsOf(context)), type: METRICS_TYPE });
  }
  return { ...own, "GET /openapi.json": () => ({ json: describeRoutes(own) }) };
}

const tokenizeChat = z.looseObject({ model: z.string().nullish(), ...chatFields });
const tokenizePrompt = z.looseObject({ model: z.string().nullish(), prompt: z.string() });

function tokenizeRoute(context: StandInContext, body: unknown): StandInReply {
  const { engine, names } = context;
  const chat = tokenizeChat.safeParse(body);
  const prompt = tokenizePrompt.safeParse(body);
  const medium = chat.success && !takesMedia(context) ? mediumIn(chat.data.messages) : undefined;
  if (medium !== undefined) return refuse(400, `At most 0 ${medium}(s) may be provided in one prompt.`);
  const text = chat.success
    ? renderChat({ ...chat.data, messages: withPlaceholders(chat.data.messages) })
    : prompt.data?.prompt;
  if (text === undefined) return refuse(400, "Either messages or a prompt must be given.");
  const model = chat.data?.model ?? prompt.data?.model;
  if (model && !names.includes(model)) return noModel(model);
  const tokens = tokenize(text);
  return { json: { count: tokens.length, max_model_len: engine.contextLength, tokens, token_strs: null } };
}

function modelsOf({ model, options, engine, created }: StandInContext): object[] {
  const { aliases = [], adapters = [], source = model } = options;
  const card = (id: string, root: string, parent: string | null, max_model_len: number | null) => ({
    id,
    object: "model",
    created,
    owned_by: "vllm",
    root,
    parent,
    max_model_len,
    permission: [{ id: `modelperm-${id}`, object: "model_permission", created, allow_sampling: true }],
  });
  return [
    ...[model, ...aliases].map((id) => card(id, source, null, engine.contextLength)),
    ...adapters.map((id) => card(id, `/adapters/${id}`, model, null)),
  ];
}

function metricsOf({ engine, model, options, kvExports }: StandInContext): Metric[] {
  const each = (value: (rank: StandInRank) => number, more: Record<string, string> = {}) =>
    engine.ranks.map((rank, index) => ({
      labels: { engine: String(index), model_name: model, ...more },
      value: value(rank),
    }));
  const gauge = (name: string, help: string, value: (rank: StandInRank) => number): Metric => ({
    name,
    help,
    type: "gauge",
    samples: each(value),
  });
  const counter = (name: string, help: string, value: (rank: StandInRank) => number): Metric => ({
    name,
    help,
    type: "counter",
    samples: each(value),
  });
  return [
    {
      name: "process_start_time_seconds",
      help: "Start time of the process since unix epoch in seconds.",
      type: "gauge",
      samples: [{ value: engine.startedAt }],
    },
    {
      name: "vllm:cache_config_info",
      help: "Information of the LLMEngine CacheConfig",
      type: "gauge",
      samples: engine.ranks.map((_, index) => ({
        labels: {
          block_size: String(engine.blockSize),
          enable_prefix_caching: options.prefixCaching === false ? "False" : "True",
          engine: String(index),
          num_gpu_blocks: String(engine.totalBlocks),
        },
        value: 1,
      })),
    },
    gauge("vllm:num_requests_running", "Number of requests in model execution batches.", (r) => r.running),
    gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed.", (r) => r.waiting),
    gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", (r) => r.kvUsage),
    counter("vllm:prefix_cache_queries_total", "Queried tokens.", (r) => r.counters.prefixQueries),
    counter("vllm:prefix_cache_hits_total", "Cached tokens.", (r) => r.counters.prefixHits),
    counter("vllm:prompt_tokens_total", "Prefill tokens processed.", (r) => r.counters.promptTokens),
    counter("vllm:generation_tokens_total", "Generation tokens.", (r) => r.counters.generatedTokens),
    counter("vllm:request_success_total", "Finished requests.", (r) => r.counters.finished),
    {
      name: "vllm:prompt_tokens_by_source_total",
      help: "Number of prompt tokens by source.",
      type: "counter",
      samples: each((rank) => rank.counters.receivedTokens, { source: "external_kv_transfer" }),
    },
    ...(options.role === undefined
      ? []
      : [
          counter(
            "vllm:nixl_num_failed_transfers_total",
            "Number of failed NIXL KV cache transfers.",
            () => 0,
          ),
          counter(
            "vllm:nixl_num_kv_expired_reqs_total",
            "Number of requests that had their KV expire.",
            () => kvExports.expired,
          ),
        ]),
  ];
}
