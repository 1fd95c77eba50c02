import type { Engine } from "#workers";
import { tokenCard } from "../../../workers/byte-tokens.ts";

/** The card of an engine that answers a byte per token. */
export const byteCard = (name: string, more: Partial<Engine["card"]> = {}): Engine["card"] => ({
  name,
  aliases: [],
  apis: ["chat", "completions"],
  role: "aggregated",
  contextLength: 16_384,
  blockSize: 16,
  totalBlocks: 4096,
  maxBatchedTokens: 4096,
  maxSequences: 16,
  dataParallelSize: 1,
  ...tokenCard(undefined),
  features: { logprobs: true, logitBias: false, embeddings: false },
  engine: { name, version: "1" },
  created: 0,
  ...more,
});
