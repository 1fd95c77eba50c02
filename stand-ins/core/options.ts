/** What all stand-ins take. */
export interface StandInOptions {
  /** Default: a free one. */
  port?: number | undefined;
  /** Default 127.0.0.1. */
  host?: string | undefined;
  /** The name that requests give. Default `tiny`. */
  model?: string | undefined;
  /** Further names. */
  aliases?: readonly string[] | undefined;
  /** Names of LoRA adapters. */
  adapters?: readonly string[] | undefined;
  /** Where the model says that it comes from; see `writeModelFolder`. Default: its name. */
  source?: string | undefined;
  /** Requests without it are refused. */
  apiKey?: string | undefined;
  /** Longest prompt plus answer in tokens. Default 8,192. */
  contextLength?: number | undefined;
  /** Tokens in a KV block. Default 16; of llama.cpp, which finds any prefix, 1. */
  blockSize?: number | undefined;
  /** KV blocks of each rank. Default 4,096. */
  totalBlocks?: number | undefined;
  /** Requests worked on at once, by each rank. Default 64; of llama.cpp, whose slots they are, 4. */
  maxSequences?: number | undefined;
  /** Data-parallel ranks. Default 1. */
  ranks?: number | undefined;
  /** Default true. */
  prefixCaching?: boolean | undefined;
  /** Milliseconds from one token to the next. Default 0. */
  interTokenMs?: number | undefined;
  /** Prompt tokens evaluated in a second. Default: no time passes. */
  prefillTokensPerSecond?: number | undefined;
  /** Whether answers say how many prompt tokens came from the cache. Default true. */
  reportsCachedTokens?: boolean | undefined;
  /** Whether it tells its load under `/metrics`. Default true. */
  hasMetrics?: boolean | undefined;
  /** KV events over ZeroMQ. Default: none. */
  kvEvents?: KvEventOptions | undefined;
  /** Milliseconds before it listens. Default 0. */
  startMs?: number | undefined;
  /** How the fault `crash` ends the process. Default: `process.exit(1)`. */
  crash?: (() => void) | undefined;
}

export interface KvEventOptions {
  /** Of rank 0; rank r is on port + r. Default: free ones. */
  port?: number | undefined;
  /** As above. Undefined: lost events cannot be asked for again. */
  replayPort?: number | undefined;
  topic?: string | undefined;
  /** Batches that are kept for replays. Default 10,000. */
  replayBatches?: number | undefined;
}
