import { z } from "zod";
import { choiceGrammar, regexGrammar } from "../grammars/index.ts";
import { schemaOf } from "./constraint.ts";
import { EngineApiError } from "./errors.ts";
import { groupModels, readModelList } from "./model-list.ts";
import { sumOf } from "./prometheus.ts";
import { getAs, optional, permitted, readAs } from "./read.ts";
import type { EngineAdapter, EngineApi, EngineModel, EngineTokenizeRequest, Limitation } from "./types.ts";

/** llama.cpp's server. Each of its slots keeps the KV cache of its last sequence. */
export const llamaCpp: EngineAdapter = {
  kind: "llama.cpp",
  cachedTokensFlag: undefined,

  // It has no regular expressions and choices, but grammars can say the same.
  structuredOutput: (constraint) => {
    switch (constraint.kind) {
      case "regex":
        return { grammar: regexGrammar(constraint.value, constraint.param) };
      case "choice":
        return { grammar: choiceGrammar(constraint.value, constraint.param) };
      case "grammar":
        return { grammar: constraint.value };
      case "json":
      case "json_object":
        return { json_schema: schemaOf(constraint) };
    }
  },

  // Its slots know no salts, so that these requests reuse nothing.
  saltFields: (_, { path }) => (UNCACHED_PATHS.has(path) ? { cache_prompt: false } : undefined),
  forgetsSalted: true,

  async probe(api) {
    const props = await optional(getAs(api, "/props", propsSchema));
    if (props === undefined) return undefined;
    const [models, metrics, slots] = await Promise.all([
      modelsOf(api, props),
      optional(api.getText("/metrics")),
      optional(getAs(api, "/slots", slotsSchema)),
    ]);
    return {
      kind: "llama.cpp",
      version: props.build_info ?? undefined,
      startedAt: undefined,
      models,
      blockSize: undefined,
      totalBlocks: undefined,
      maxBatchedTokens: undefined,
      maxSequences: props.total_slots,
      dataParallelSize: 1,
      hasPrefixCaching: true,
      kvEvents: [],
      tokenizes: "chat",
      continuesMessages: true,
      paths: [],
      limitations: limitationsOf(metrics !== undefined, slots !== undefined),
    };
  },

  async readLoad(api) {
    const metrics = await permitted(api.getText("/metrics"));
    const slots = metrics === undefined ? await permitted(getAs(api, "/slots", slotsSchema)) : undefined;
    return {
      running: slots?.filter((slot) => slot.is_processing).length ?? sumOf(metrics ?? "", PROCESSING),
      waiting: sumOf(metrics ?? "", DEFERRED),
      kvUsage: sumOf(metrics ?? "", ["llamacpp:kv_cache_usage_ratio"]),
      prefixQueries: undefined,
      prefixHits: undefined,
      startedAt: undefined,
    };
  },

  async readModels(api) {
    const props = await getAs(api, "/props", propsSchema);
    if (props === undefined) throw new EngineApiError("not_readable", `${api.url} no longer has /props.`);
    return modelsOf(api, props);
  },

  async tokenize(api, request) {
    const content = await promptOf(api, request);
    // Like the server itself: with the beginning-of-sequence token in front, and control tokens parsed.
    const isContinued = "prompt" in request && request.isContinued === true;
    const body = { content, add_special: !isContinued, parse_special: true };
    const answer = await api.postJson("/tokenize", body);
    if (answer === undefined) throw new EngineApiError("unsupported", `${api.url} has no /tokenize.`);
    return Uint32Array.from(readAs(api, "/tokenize", tokensSchema, answer).tokens);
  },
};

/** The paths that have `cache_prompt`. */
const UNCACHED_PATHS = new Set(["/v1/chat/completions", "/v1/completions"]);

const PROCESSING = ["llamacpp:requests_processing"];
const DEFERRED = ["llamacpp:requests_deferred"];

const propsSchema = z.looseObject({
  default_generation_settings: z.looseObject({ n_ctx: z.number().int().positive() }),
  total_slots: z.number().int().positive(),
  model_path: z.string().nullish().catch(undefined),
  chat_template: z.string().nullish().catch(undefined),
  build_info: z.string().nullish().catch(undefined),
});

async function modelsOf(api: EngineApi, props: z.output<typeof propsSchema>): Promise<EngineModel[]> {
  return groupModels((await readModelList(api)) ?? []).map((model) => ({
    ...model,
    contextLength: props.default_generation_settings.n_ctx,
    source: props.model_path ?? model.source,
    chatTemplate: props.chat_template ?? undefined,
  }));
}

const slotsSchema = z.array(z.looseObject({ is_processing: z.boolean() }));
const tokensSchema = z.looseObject({ tokens: z.array(z.uint32()) });
const promptSchema = z.looseObject({ prompt: z.string() });

/** The prompt's text; the server's own template formats a chat. */
async function promptOf(api: EngineApi, request: EngineTokenizeRequest): Promise<string> {
  if ("prompt" in request) return request.prompt;
  const answer = await api.postJson("/apply-template", { ...request.chat, stream: undefined });
  if (answer === undefined) throw new EngineApiError("unsupported", `${api.url} has no /apply-template.`);
  return readAs(api, "/apply-template", promptSchema, answer).prompt;
}

function limitationsOf(hasMetrics: boolean, hasSlots: boolean): Limitation[] {
  const events: Limitation = {
    code: "kv-events",
    what: "it publishes no KV events, so what its slots hold is predicted from the requests sent to it",
    flag: undefined,
  };
  if (hasMetrics) return [events];
  const what = hasSlots ? "it does not report how many requests wait" : "it does not report its load";
  return [events, { code: "load", what, flag: "--metrics" }];
}
