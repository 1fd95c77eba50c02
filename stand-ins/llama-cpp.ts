import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Dialect, TokenUsage } from "./core/dialect.ts";
import { METRICS_TYPE, writeMetrics } from "./core/metrics-text.ts";
import { chatFields } from "./core/openai-request.ts";
import type { StandInOptions } from "./core/options.ts";
import type { StandInReply, StandInRoute } from "./core/server.ts";
import { type StandIn, type StandInContext, startStandIn } from "./core/stand-in.ts";
import { CHAT_TEMPLATE, renderChat } from "./core/template.ts";
import { detokenize, tokenize, VOCABULARY_SIZE } from "./core/tokens.ts";

/** The build that it claims to be. */
const BUILD = "b8200-5a4d2b1c";
const SLOTS = 4;

/**
 * A stand-in for llama.cpp's server, without KV events. Its slots share their computed prefixes, token by token. Its
 * one model answers whichever model a request names.
 */
export function startLlamaCpp(options: StandInOptions = {}): Promise<StandIn> {
  const { maxSequences = SLOTS, contextLength = 8192, blockSize = 1 } = options;
  const { totalBlocks = Math.ceil((maxSequences * contextLength) / blockSize) } = options;
  return startStandIn(
    {
      dialect,
      routes,
      refuse: (status, message) => refuse(status, message, TYPES[status] ?? "server_error"),
    },
    { ...options, maxSequences, contextLength, blockSize, totalBlocks, kvEvents: undefined },
  );
}

const TYPES: Record<number, string> = {
  401: "authentication_error",
  404: "not_found_error",
  503: "unavailable_error",
};

function refuse(code: number, message: string, type: string, more: object = {}): StandInReply {
  return { status: code, json: { error: { code, message, type, ...more } } };
}

function dialect({ engine }: StandInContext): Dialect {
  const timings = ({ promptTokens, completionTokens, cachedTokens }: TokenUsage) => ({
    timings: { cache_n: cachedTokens, prompt_n: promptTokens - cachedTokens, predicted_n: completionTokens },
  });
  return {
    continuing: "always",
    roleDelta: { role: "assistant", content: null },
    deltaFields: {},
    finishDelta: {},
    hasFinishChunk: true,
    newId: () => `chatcmpl-${randomUUID().replaceAll("-", "")}`,
    chunkFields: { system_fingerprint: BUILD },
    finishFields: timings,
    answerFields: (usage) => ({ system_fingerprint: BUILD, ...timings(usage) }),
    choiceFields: (surface) => (surface === "completions" ? { logprobs: null } : {}),
    messageFields: {},
    usage: ({ promptTokens, completionTokens, cachedTokens }) => ({
      completion_tokens: completionTokens,
      prompt_tokens: promptTokens,
      total_tokens: promptTokens + completionTokens,
      prompt_tokens_details: { cached_tokens: cachedTokens },
    }),
    // It knows no salts, but a request can do without the cache.
    cacheSalt: (body) => (uncachedSchema.safeParse(body).success ? randomUUID() : undefined),
    // Answers end with the context; only the prompt has to fit.
    check: ({ tokens }) => {
      const { contextLength } = engine;
      if (tokens.length < contextLength) return undefined;
      const message = `the request exceeds the available context size (${contextLength} tokens), try increasing it`;
      const sizes = { n_prompt_tokens: tokens.length, n_ctx: contextLength };
      return refuse(400, message, "exceed_context_size_error", sizes);
    },
    malformed: (message) => refuse(400, message, "invalid_request_error"),
  };
}

const uncachedSchema = z.looseObject({ cache_prompt: z.literal(false) });

function routes(context: StandInContext): Record<string, StandInRoute> {
  const { engine, options, model, created } = context;
  const { source = model, aliases = [], maxSequences = SLOTS } = options;
  const invalid = (what: string) => refuse(400, `${what} must be provided`, "invalid_request_error");
  return {
    "GET /health": () => ({ json: { status: "ok" } }),
    "GET /props": () => ({
      json: {
        default_generation_settings: { n_ctx: engine.contextLength, params: {} },
        total_slots: maxSequences,
        model_alias: model,
        model_path: source,
        modalities: { vision: false, audio: false },
        chat_template: CHAT_TEMPLATE,
        bos_token: "",
        eos_token: "<|im_end|>",
        build_info: BUILD,
        is_sleeping: false,
      },
    }),
    "GET /slots": () => ({
      json: Array.from({ length: maxSequences }, (_, id) => ({
        id,
        n_ctx: engine.contextLength,
        speculative: false,
        is_processing: id < engine.sum((rank) => rank.running),
      })),
    }),
    "GET /v1/models": () => ({
      json: {
        object: "list",
        data: [
          {
            id: model,
            aliases: [model, ...aliases],
            tags: [],
            object: "model",
            created,
            owned_by: "llamacpp",
            meta: { vocab_type: 2, n_vocab: VOCABULARY_SIZE, n_ctx_train: engine.contextLength },
          },
        ],
      },
    }),
    "GET /metrics": () => metrics(context),
    "POST /tokenize": ({ body }) => {
      const read = z.looseObject({ content: z.string() }).safeParse(body);
      return read.success ? { json: { tokens: tokenize(read.data.content) } } : invalid("content");
    },
    "POST /detokenize": ({ body }) => {
      const read = z.looseObject({ tokens: z.array(z.number()) }).safeParse(body);
      return read.success ? { json: { content: detokenize(read.data.tokens) } } : invalid("tokens");
    },
    "POST /apply-template": ({ body }) => {
      const read = z.looseObject(chatFields).safeParse(body);
      if (!read.success) return invalid("messages");
      const continues = read.data.messages.at(-1)?.role === "assistant";
      return { json: { prompt: renderChat({ ...read.data, continue_final_message: continues }) } };
    },
  };
}

function metrics({ engine, options }: StandInContext): StandInReply {
  if (options.hasMetrics === false) {
    const message = "This server does not support metrics endpoint. Start it with `--metrics`";
    return refuse(501, message, "not_supported_error");
  }
  const counter = (name: string, help: string, value: number) =>
    ({ name: `llamacpp:${name}`, help, type: "counter", samples: [{ value }] }) as const;
  const gauge = (name: string, help: string, value: number) =>
    ({ name: `llamacpp:${name}`, help, type: "gauge", samples: [{ value }] }) as const;
  const evaluated = engine.sum(({ counters }) => counters.promptTokens - counters.prefixHits);
  return {
    text: writeMetrics([
      counter("prompt_tokens_total", "Number of prompt tokens processed.", evaluated),
      counter(
        "tokens_predicted_total",
        "Number of generation tokens processed.",
        engine.sum((rank) => rank.counters.generatedTokens),
      ),
      gauge(
        "requests_processing",
        "Number of requests processing.",
        engine.sum((rank) => rank.running),
      ),
      gauge(
        "requests_deferred",
        "Number of requests deferred.",
        engine.sum((rank) => rank.waiting),
      ),
    ]),
    type: METRICS_TYPE,
  };
}
