import type { ModelCard } from "#runtime";
import { tokenCard } from "../byte-tokens.ts";
import { mockKvFormat } from "./kv.ts";
import type { MockerOptions } from "./options.ts";

/** The model card of a mock engine. */
export function mockerCard(options: MockerOptions): ModelCard {
  const { contextLength = 131_072, blockSize = 64, totalBlocks = 16_384, maxBatchedTokens = 8192 } = options;
  return {
    name: options.modelName ?? "mocker",
    aliases: options.aliases ?? [],
    apis: ["chat", "completions"],
    role: "aggregated",
    // No request can need more blocks than there are.
    contextLength: Math.min(contextLength, totalBlocks * blockSize),
    blockSize,
    totalBlocks,
    maxBatchedTokens,
    maxSequences: options.sequences ?? 256,
    dataParallelSize: options.dataParallelSize ?? 1,
    ...tokenCard(options.tokenizer),
    features: { logprobs: false, logitBias: false, embeddings: false, cacheSalt: true },
    engine: { name: "mocker", version: "1" },
    created: Math.floor(Date.now() / 1000),
    kvFormat: mockKvFormat(options),
  };
}
