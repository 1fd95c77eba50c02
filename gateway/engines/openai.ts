import { EngineApiError } from "./errors.ts";
import { readModels } from "./model-list.ts";
import type { EngineAdapter } from "./types.ts";

/** Any server that speaks OpenAI's API, of which nothing more is known. */
export const openai: EngineAdapter = {
  kind: "openai",
  cachedTokensFlag: undefined,

  async probe(api) {
    return {
      kind: "openai",
      version: undefined,
      startedAt: undefined,
      models: await readModels(api),
      blockSize: undefined,
      totalBlocks: undefined,
      maxBatchedTokens: undefined,
      maxSequences: undefined,
      dataParallelSize: 1,
      hasPrefixCaching: undefined,
      kvEvents: [],
      tokenizes: "nothing",
      continuesMessages: false,
      paths: [],
      limitations: [
        {
          code: "kv-events",
          what: "it tells nothing of its cache, so what that holds is guessed from what was sent to it",
          flag: undefined,
        },
        { code: "tokenizer", what: "it does not tell how it splits text into tokens", flag: undefined },
        { code: "load", what: "it does not tell how busy it is", flag: undefined },
      ],
    };
  },

  /** It tells no load, but whether it is there. */
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
    throw new EngineApiError("unsupported", `${api.url} has no tokenizer to ask.`);
  },
};
