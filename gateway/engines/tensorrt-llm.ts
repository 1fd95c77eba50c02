import { z } from "zod";
import { CACHE_SALT } from "./cache-salt.ts";
import { regexOfChoice, responseFormat } from "./constraint.ts";
import { tensorrtLlmDisaggregation } from "./disaggregation/tensorrt-llm.ts";
import { HANDLES, tensorrtLlmEncoding } from "./encoding/tensorrt-llm.ts";
import { EngineApiError } from "./errors.ts";
import { groupModels, isOwnedBy, readModelList, readModels } from "./model-list.ts";
import { fieldsIn, getAs, listPaths, openAiPaths, optional, readAs } from "./read.ts";
import { PolledEvents } from "./tensorrt-llm-events.ts";
import type { EngineAdapter, EngineApi, Limitation } from "./types.ts";

/** TensorRT-LLM's `trtllm-serve`. Reading its statistics or KV events consumes them. */
export const tensorrtLlm: EngineAdapter = {
  kind: "tensorrt-llm",
  cachedTokensFlag: undefined,
  disaggregation: tensorrtLlmDisaggregation,
  encoding: tensorrtLlmEncoding,

  structuredOutput: (constraint) => {
    switch (constraint.kind) {
      case "regex":
        return { response_format: { type: "regex", regex: constraint.value } };
      case "choice":
        return { response_format: { type: "regex", regex: regexOfChoice(constraint.value) } };
      case "grammar":
        return { response_format: { type: "ebnf", ebnf: constraint.value } };
      case "json":
        return { response_format: { type: "json", schema: constraint.value } };
      case "json_object":
        return responseFormat(constraint);
    }
  },

  // Completions refuse the field, and so do versions without it.
  saltFields: (salt, { path }) => (path === "/v1/chat/completions" ? { [CACHE_SALT]: salt } : undefined),

  async probe(api) {
    const models = await readModelList(api);
    if (!isOwnedBy(models, "tensorrt_llm")) return undefined;
    const [version, paths, params, stats] = await Promise.all([
      optional(getAs(api, "/version", z.looseObject({ version: z.string() }))),
      listPaths(api),
      fieldsIn(api, "DisaggregatedParams"),
      readStatistics(api),
    ]);
    const cache = stats?.at(-1)?.kvCacheStats;
    const isEncoder = paths?.includes(CHAT) === true && !paths.includes(COMPLETIONS);
    const hasEvents = !isEncoder && (paths?.includes(EVENTS) ?? true);
    return {
      kind: "tensorrt-llm",
      version: version?.version,
      startedAt: undefined,
      models: groupModels(models ?? []),
      blockSize: cache?.tokensPerBlock,
      totalBlocks: cache?.maxNumBlocks,
      maxBatchedTokens: undefined,
      maxSequences: stats?.at(-1)?.maxNumActiveRequests,
      dataParallelSize: 1,
      hasPrefixCaching: undefined,
      kvEvents: hasEvents ? [{ kind: "poll" }] : [],
      tokenizes: "nothing",
      continuesMessages: false,
      role: isEncoder ? "encode" : undefined,
      takesEncoded: params?.includes(HANDLES),
      paths: openAiPaths(paths),
      limitations: isEncoder ? [] : limitationsOf(hasEvents, stats !== undefined),
    };
  },

  async readLoad(api) {
    const last = (await readStatistics(api))?.at(-1);
    const { usedNumBlocks, maxNumBlocks, tokensPerBlock, reusedBlocks, missedBlocks } =
      last?.kvCacheStats ?? {};
    const tokens = (blocks: number | undefined) =>
      blocks === undefined || tokensPerBlock === undefined ? undefined : blocks * tokensPerBlock;
    return {
      running: last?.numActiveRequests,
      waiting: last?.numQueuedRequests,
      kvUsage: maxNumBlocks && usedNumBlocks !== undefined ? usedNumBlocks / maxNumBlocks : undefined,
      prefixQueries: tokens(
        reusedBlocks === undefined || missedBlocks === undefined ? undefined : reusedBlocks + missedBlocks,
      ),
      prefixHits: tokens(reusedBlocks),
      startedAt: undefined,
    };
  },

  readModels,

  async tokenize(api) {
    throw new EngineApiError("unsupported", `${api.url} has no tokenize route.`);
  },

  async pollKvEvents(api, onPayload, onUnreadable) {
    const answer = (await api.postJson(EVENTS, {})) ?? (await api.getJson(EVENTS));
    if (answer === undefined) throw new EngineApiError("unsupported", `${api.url} has no ${EVENTS}.`);
    const events = readAs(api, EVENTS, z.array(z.unknown()), answer);
    for (const payload of streamOf(api).convert(events, onUnreadable)) onPayload(payload);
  },
};

const EVENTS = "/kv_cache_events";
/** An encoder (`mm_embedding_serve`) has the one, but not the other. */
const CHAT = "/v1/chat/completions";
const COMPLETIONS = "/v1/completions";

/** The state of each engine's event stream. */
const streams = new WeakMap<EngineApi, PolledEvents>();

function streamOf(api: EngineApi): PolledEvents {
  const stream = streams.get(api) ?? new PolledEvents();
  streams.set(api, stream);
  return stream;
}

const number = z.number().nonnegative().optional().catch(undefined);

/** Statistics of the iterations since the last read, the latest last; empty if nothing ran. */
const statsSchema = z.array(
  z.looseObject({
    numActiveRequests: number,
    numQueuedRequests: number,
    maxNumActiveRequests: number,
    kvCacheStats: z
      .looseObject({
        maxNumBlocks: number,
        usedNumBlocks: number,
        tokensPerBlock: number,
        reusedBlocks: number,
        missedBlocks: number,
      })
      .optional()
      .catch(undefined),
  }),
);

/** If `/metrics` is in Prometheus' format, they are at another path. Undefined if there are none. */
async function readStatistics(api: EngineApi): Promise<z.output<typeof statsSchema> | undefined> {
  const metrics = await optional(getAs(api, "/metrics", statsSchema));
  return metrics ?? (await optional(getAs(api, "/iteration_stats", statsSchema)));
}

function limitationsOf(hasEvents: boolean, hasStats: boolean): Limitation[] {
  const limitations: Limitation[] = [
    { code: "tokenizer", what: "it has no tokenize route", flag: undefined },
  ];
  if (!hasEvents) {
    const what =
      "it has no KV events to poll, so what its cache holds is predicted from the requests sent to it";
    limitations.push({ code: "kv-events", what, flag: "kv_cache_config: {event_buffer_max_size: 16384}" });
  }
  if (!hasStats) {
    limitations.push({
      code: "load",
      what: "it does not report its load",
      flag: "enable_iter_perf_stats: true",
    });
  }
  return limitations;
}
