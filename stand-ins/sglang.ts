import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Dialect } from "./core/dialect.ts";
import { METRICS_TYPE, type Metric, writeMetrics } from "./core/metrics-text.ts";
import type { OpenAiRequest } from "./core/openai-request.ts";
import type { StandInOptions } from "./core/options.ts";
import type { StandInRank } from "./core/rank.ts";
import { refuse } from "./core/refusal.ts";
import type { StandInRoute } from "./core/server.ts";
import {
  describeRoutes,
  GENERATION_ROUTES,
  type StandIn,
  type StandInContext,
  startStandIn,
} from "./core/stand-in.ts";
import { detokenize, tokenize } from "./core/tokens.ts";
import { EncoderList, encoderRoutes } from "./sglang-encoding.ts";
import { sglangHandoff } from "./sglang-handoff.ts";

/** The release that it claims to be. */
const VERSION = "0.5.9";

/** A stand-in for SGLang's server. Its one model answers whichever model a request names. */
export function startSglang(options: StandInOptions = {}): Promise<StandIn> {
  const list = new EncoderList();
  return startStandIn(
    {
      dialect: (context) => dialect(context, list),
      routes: (context) => ({ ...routes(context), ...(options.languageOnly && list.routes) }),
      generationRoutes,
      refuse,
    },
    options,
  );
}

const generationRoutes = ({ role }: StandInOptions) => (role === "encode" ? [] : GENERATION_ROUTES);

function dialect({ engine, options, kvExports }: StandInContext, list: EncoderList): Dialect {
  const reports = options.reportsCachedTokens ?? true;
  const handoff =
    options.role === undefined || options.role === "encode"
      ? undefined
      : sglangHandoff(options.role, kvExports);
  const nothing = { role: null, content: null, reasoning_content: null, tool_calls: null };
  return {
    handoff: options.languageOnly ? list.dialect(options.onWork ?? (() => {}), handoff) : handoff,
    takesMedia: options.takesMedia,
    continuing: "asked",
    roleDelta: { ...nothing, role: "assistant", content: "" },
    deltaFields: { role: null, reasoning_content: null, tool_calls: null },
    finishDelta: nothing,
    hasFinishChunk: true,
    newId: () => randomUUID().replaceAll("-", ""),
    chunkFields: { usage: null },
    finishFields: () => ({}),
    answerFields: () => ({ metadata: { weight_version: "default" } }),
    choiceFields: (_, finish) => ({
      logprobs: null,
      matched_stop: finish?.stop ?? (finish?.reason === "stop" ? 257 : null),
    }),
    messageFields: { reasoning_content: null, tool_calls: null },
    usage: ({ promptTokens, completionTokens, cachedTokens }) => ({
      prompt_tokens: promptTokens,
      total_tokens: promptTokens + completionTokens,
      completion_tokens: completionTokens,
      prompt_tokens_details: reports ? { cached_tokens: cachedTokens } : null,
      reasoning_tokens: 0,
    }),
    check: ({ tokens, maxTokens }: OpenAiRequest) => {
      const wanted = tokens.length + maxTokens;
      if (wanted <= engine.contextLength) return undefined;
      return refuse(
        400,
        `Requested token count exceeds the model's maximum context length of ${engine.contextLength} tokens. You requested a total of ${wanted} tokens: ${tokens.length} tokens from the input messages and ${maxTokens} tokens for the completion.`,
      );
    },
    malformed: (message) => refuse(400, message),
  };
}

function routes(context: StandInContext): Record<string, StandInRoute> {
  const { engine, options, model } = context;
  const { source = model, onWork = () => {} } = options;
  if (options.role === "encode") {
    const own = encoderRoutes(onWork);
    return { ...own, "GET /openapi.json": () => ({ json: describeRoutes(own, []) }) };
  }
  const serverInfo: StandInRoute = () => ({ json: serverInfoOf(context) });
  const modelInfo: StandInRoute = () => ({
    json: {
      model_path: source,
      tokenizer_path: source,
      is_generation: true,
      preferred_sampling_params: null,
      weight_version: "default",
    },
  });
  const own: Record<string, StandInRoute> = {
    "GET /health": () => ({ text: "" }),
    "GET /health_generate": () => ({ text: "" }),
    "GET /server_info": serverInfo,
    "GET /get_server_info": serverInfo,
    "GET /model_info": modelInfo,
    "GET /get_model_info": modelInfo,
    "GET /v1/models": () => ({ json: { object: "list", data: modelsOf(context) } }),
    "POST /tokenize": ({ body }) => {
      const read = z.looseObject({ prompt: z.string() }).safeParse(body);
      if (!read.success) return refuse(400, "prompt: missing");
      const tokens = tokenize(read.data.prompt);
      return { json: { tokens, count: tokens.length, max_model_len: engine.contextLength } };
    },
    "POST /detokenize": ({ body }) => {
      const read = z.looseObject({ tokens: z.array(z.number()) }).safeParse(body);
      return read.success ? { json: { text: detokenize(read.data.tokens) } } : refuse(400, "tokens: missing");
    },
    "POST /flush_cache": () => {
      const isFlushed = engine.ranks.map((rank) => rank.reset()).every(Boolean);
      return { status: isFlushed ? 200 : 400, text: "Cache flushed.\n" };
    },
  };
  if (options.hasMetrics ?? true) {
    own["GET /metrics"] = () => ({ text: writeMetrics(metricsOf(context)), type: METRICS_TYPE });
  }
  return { ...own, "GET /openapi.json": () => ({ json: describeRoutes(own) }) };
}

function serverInfoOf({ engine, options, model, kvEvents, place }: StandInContext): object {
  const { source = model, maxSequences = 64, prefixCaching = true, reportsCachedTokens = true } = options;
  const [first] = kvEvents;
  const events = first && {
    publisher: "zmq",
    endpoint: first.endpoint,
    ...(first.replayEndpoint !== undefined && { replay_endpoint: first.replayEndpoint }),
    topic: first.topic,
  };
  return {
    model_path: source,
    tokenizer_path: source,
    served_model_name: model,
    context_length: null,
    page_size: engine.blockSize,
    dp_size: engine.ranks.length,
    tp_size: 1,
    disable_radix_cache: !prefixCaching,
    enable_metrics: options.hasMetrics ?? true,
    enable_cache_report: reportsCachedTokens,
    kv_events_config: events === undefined ? null : JSON.stringify(events),
    chunked_prefill_size: 8192,
    max_prefill_tokens: 16_384,
    max_running_requests: maxSequences,
    max_total_num_tokens: engine.totalBlocks * engine.blockSize,
    max_req_input_len: engine.contextLength - 6,
    disaggregation_mode: options.role ?? "null",
    ...(options.role && { disaggregation_bootstrap_port: place().port }),
    encoder_only: false,
    language_only: options.languageOnly ?? false,
    encoder_urls: [],
    encoder_bootstrap_port: options.languageOnly ? place().port : 8997,
    internal_states: engine.ranks.map(() => ({})),
    version: VERSION,
  };
}

function modelsOf({ model, options, engine, created }: StandInContext): object[] {
  const card = (id: string, root: string, parent: string | null) => ({
    id,
    object: "model",
    created,
    owned_by: "sglang",
    root,
    parent,
    max_model_len: parent === null ? engine.contextLength : null,
  });
  return [
    card(model, model, null),
    ...(options.adapters ?? []).map((id) => card(id, `/adapters/${id}`, model)),
  ];
}

function metricsOf({ engine, model }: StandInContext): Metric[] {
  const metric = (
    type: Metric["type"],
    name: string,
    help: string,
    value: (rank: StandInRank) => number,
  ): Metric => ({
    name: `sglang:${name}`,
    help,
    type,
    samples: engine.ranks.map((rank, index) => ({
      labels: {
        dp_rank: String(index),
        engine_type: "unified",
        model_name: model,
        pp_rank: "0",
        tp_rank: "0",
      },
      value: value(rank),
    })),
  });
  return [
    metric("gauge", "num_running_reqs", "The number of running requests.", (rank) => rank.running),
    metric("gauge", "num_queue_reqs", "The number of requests in the waiting queue.", (rank) => rank.waiting),
    metric("gauge", "token_usage", "The token usage.", (rank) => rank.kvUsage),
    metric("counter", "prompt_tokens_total", "Prefill tokens.", (rank) => rank.counters.promptTokens),
    metric("counter", "cached_tokens_total", "Cached prompt tokens.", (rank) => rank.counters.prefixHits),
    metric(
      "counter",
      "generation_tokens_total",
      "Generation tokens.",
      (rank) => rank.counters.generatedTokens,
    ),
    metric("counter", "num_requests_total", "Requests processed.", (rank) => rank.counters.finished),
  ];
}
