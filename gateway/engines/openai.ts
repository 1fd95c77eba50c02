import { EngineApiError } from "./errors.ts";
import { readModels } from "./model-list.ts";
import type { EngineAdapter } from "./types.ts";
import { UNREPORTED } from "./unreported.ts";

/** Any other server that speaks OpenAI's API. */
export const openai: EngineAdapter = {
  kind: "openai",
  cachedTokensFlag: undefined,
  // It may be a vLLM behind a proxy.
  lora: {
    load: "/v1/load_lora_adapter",
    unload: "/v1/unload_lora_adapter",
    advice: "It does not have vLLM's paths for that, or has turned them off.",
  },

  async probe(api) {
    return {
      kind: "openai",
      ...UNREPORTED,
      models: await readModels(api),
      limitations: [
        {
          code: "kv-events",
          what: "it does not report its cache, so what that holds is predicted from the requests sent to it",
          flag: undefined,
        },
        { code: "tokenizer", what: "it has no tokenize route", flag: undefined },
        { code: "load", what: "it does not report its load", flag: undefined },
      ],
    };
  },

  /** Reports no load, only that the server answers. */
  async readLoad(api) {
    return {
      models: await readModels(api),
      running: undefined,
      waiting: undefined,
      kvUsage: undefined,
      prefixQueries: undefined,
      prefixHits: undefined,
      startedAt: undefined,
    };
  },

  readModels,

  async tokenize(api) {
    throw new EngineApiError("unsupported", `${api.url} has no tokenize route.`);
  },
};
