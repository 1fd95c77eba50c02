import { randomUUID } from "node:crypto";
import type { KvEvent } from "#runtime";
import type { Dialect } from "./core/dialect.ts";
import type { StandInOptions } from "./core/options.ts";
import { refuse } from "./core/refusal.ts";
import { type BlockContent, hashBlock } from "./core/sequence.ts";
import type { StandInRoute } from "./core/server.ts";
import {
  describeRoutes,
  GENERATION_ROUTES,
  type StandIn,
  type StandInContext,
  startStandIn,
} from "./core/stand-in.ts";
import { tensorrtLlmEncoder } from "./tensorrt-llm-encoding.ts";
import { paramsOf, tensorrtLlmHandoff } from "./tensorrt-llm-handoff.ts";

/** The release that it claims to be. */
const VERSION = "1.2.0";

/** A stand-in for TensorRT-LLM's `trtllm-serve`. Its one model answers whichever model a request names. */
export function startTensorrtLlm(options: StandInOptions = {}): Promise<StandIn> {
  return startStandIn({ dialect, routes, generationRoutes, refuse }, options);
}

/** An encoder has no completions. */
const generationRoutes = ({ role }: StandInOptions): readonly string[] =>
  role === "encode" ? GENERATION_ROUTES.slice(0, 1) : GENERATION_ROUTES;

function dialect({ engine, options, model, kvExports: exports, place }: StandInContext): Dialect {
  const { reportsCachedTokens: reports = true, takesEncoded = true, onWork = () => {} } = options;
  const origin = () => `http://${place().host}:${place().port}`;
  const shared = { exports, origin, onWork };
  return {
    takesMedia: options.takesMedia || options.role === "encode",
    handoff:
      options.role === "encode"
        ? tensorrtLlmEncoder({ ...shared, model })
        : tensorrtLlmHandoff({ ...shared, takesEncoded }),
    continuing: "never",
    roleDelta: { role: "assistant", content: "", reasoning_content: null, tool_calls: [] },
    deltaFields: { role: null, reasoning_content: null, tool_calls: [] },
    finishDelta: {},
    hasFinishChunk: false,
    newId: (surface) => `${surface === "chat" ? "chatcmpl" : "cmpl"}-${randomUUID().replaceAll("-", "")}`,
    chunkFields: { usage: null },
    finishFields: () => ({}),
    answerFields: () => ({ prompt_token_ids: null }),
    choiceFields: (_, finish) => ({
      logprobs: null,
      stop_reason: finish?.stop ?? null,
      disaggregated_params: null,
    }),
    messageFields: { reasoning_content: null, tool_calls: [] },
    usage: ({ promptTokens, completionTokens, cachedTokens }) => ({
      prompt_tokens: promptTokens,
      total_tokens: promptTokens + completionTokens,
      completion_tokens: completionTokens,
      prompt_tokens_details: reports ? { cached_tokens: cachedTokens } : null,
    }),
    check: ({ tokens, maxTokens }) => {
      const { contextLength } = engine;
      if (tokens.length + maxTokens <= contextLength) return undefined;
      const message = `The sum of prompt length (${tokens.length}) and max_tokens (${maxTokens}) should not exceed max_seq_len (${contextLength})`;
      return refuse(400, message);
    },
    malformed: (message) => refuse(400, message),
  };
}

function routes(context: StandInContext): Record<string, StandInRoute> {
  const { engine, model, created } = context;
  const events = new EventQueue(context);
  const statistics = statisticsQueue(context);
  const own: Record<string, StandInRoute> = {
    "GET /health": () => ({ text: "" }),
    "GET /version": () => ({ json: { version: VERSION } }),
    "GET /v1/models": () => ({
      json: { object: "list", data: [{ id: model, object: "model", created, owned_by: "tensorrt_llm" }] },
    }),
  };
  if (context.options.role !== "encode") own["POST /kv_cache_events"] = () => ({ json: events.take() });
  if (context.options.hasMetrics ?? true) own["GET /metrics"] = () => ({ json: statistics() });
  engine.subscribe((rank, batch) => {
    for (const event of batch) events.add(rank, event);
  });
  engine.onTail = (rank, tail) => events.addTail(rank, tail);
  const { takesEncoded = true } = context.options;
  const properties = Object.fromEntries(paramsOf(takesEncoded).map((name) => [name, {}]));
  const description = {
    ...describeRoutes(own, generationRoutes(context.options)),
    components: { schemas: { DisaggregatedParams: { type: "object", properties } } },
  };
  return { ...own, "GET /openapi.json": () => ({ json: description }) };
}

/** KV events in TensorRT-LLM's JSON, until they are polled. */
class EventQueue {
  readonly #windowSize: number;
  readonly #blockSize: number;
  readonly #hasRanks: boolean;
  readonly #nextIds: number[];
  #events: object[] = [];

  constructor({ engine }: StandInContext) {
    this.#windowSize = engine.contextLength;
    this.#blockSize = engine.blockSize;
    this.#hasRanks = engine.ranks.length > 1;
    this.#nextIds = engine.ranks.map(() => 0);
    engine.ranks.forEach((_, rank) => {
      this.#push(rank, { type: "created", num_blocks_per_cache_level: [engine.totalBlocks, 0] });
    });
  }

  take(): object[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  add(rank: number, event: KvEvent): void {
    if (event.type === "removed") {
      this.#push(rank, { type: "removed", block_hashes: Array.from(event.blockHashes, Number) });
    } else if (event.type === "stored") {
      const blocks = Array.from(event.blockHashes, (hash, index) => {
        const start = index * this.#blockSize;
        return blockOf(Number(hash), Array.from(event.tokenIds.slice(start, start + this.#blockSize)));
      });
      const parent_hash = event.parentHash === undefined ? null : Number(event.parentHash);
      this.#push(rank, { type: "stored", parent_hash, blocks });
    }
  }

  /** TensorRT-LLM keeps, and reports, a sequence's last block even if it is partial. */
  addTail(rank: number, { parent, tokenIds }: BlockContent): void {
    if (tokenIds.length === 0) return;
    const blocks = [blockOf(hashBlock(parent ?? 0, tokenIds), tokenIds)];
    this.#push(rank, { type: "stored", parent_hash: parent ?? null, blocks });
  }

  #push(rank: number, data: object): void {
    const event_id = this.#nextIds[rank]!++;
    const event = { event_id, data, window_size: this.#windowSize };
    this.#events.push(this.#hasRanks ? { ...event, attention_dp_rank: rank } : event);
  }
}

function blockOf(block_hash: number, ids: readonly number[]): object {
  const tokens = ids.map((token_id) => ({ type: "unique_token", token_id, token_extra_id: 0 }));
  return { type: "stored_block", block_hash, tokens, cache_level: 0, priority: 35 };
}

/** Statistics of the latest iteration; empty if nothing has run since the last call. */
function statisticsQueue({ engine, options }: StandInContext): () => object[] {
  let reported = 0;
  return () => {
    const iterations = engine.sum((rank) => rank.counters.generatedTokens);
    const isIdle = engine.sum((rank) => rank.running + rank.waiting) === 0;
    if (iterations === reported && isIdle) return [];
    reported = iterations;
    const hits = engine.sum((rank) => rank.counters.prefixHits);
    const queries = engine.sum((rank) => rank.counters.prefixQueries);
    const total = engine.totalBlocks * engine.ranks.length;
    const used = Math.round(engine.sum((rank) => rank.kvUsage) * engine.totalBlocks);
    const reusedBlocks = Math.floor(hits / engine.blockSize);
    return [
      {
        iter: iterations,
        iterLatencyMS: options.interTokenMs ?? 0,
        numActiveRequests: engine.sum((rank) => rank.running),
        numQueuedRequests: engine.sum((rank) => rank.waiting),
        maxNumActiveRequests: (options.maxSequences ?? 64) * engine.ranks.length,
        kvCacheStats: {
          maxNumBlocks: total,
          freeNumBlocks: total - used,
          usedNumBlocks: used,
          tokensPerBlock: engine.blockSize,
          allocTotalBlocks: Math.ceil(queries / engine.blockSize),
          reusedBlocks,
          missedBlocks: Math.ceil(queries / engine.blockSize) - reusedBlocks,
          cacheHitRate: queries === 0 ? 0 : hits / queries,
        },
      },
    ];
  };
}
