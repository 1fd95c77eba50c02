import type { EngineProfile } from "./types.ts";

/** What an engine that reports nothing of itself is taken to be. */
export const UNREPORTED = {
  version: undefined,
  startedAt: undefined,
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
} satisfies Partial<EngineProfile>;
