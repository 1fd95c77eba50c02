/** Options of all stand-ins. */
export interface StandInOptions {
  /** Default: a free port. */
  port?: number | undefined;
  /** Default 127.0.0.1. */
  host?: string | undefined;
  /** The model's name. Default `tiny`. */
  model?: string | undefined;
  /** Other names of the model. */
  aliases?: readonly string[] | undefined;
  /** Names of LoRA adapters. */
  adapters?: readonly string[] | undefined;
  /** The model's source, as reported; see `writeModelFolder`. Default: its name. */
  source?: string | undefined;
  /** Requests without this key are refused. */
  apiKey?: string | undefined;
  /** Longest prompt plus answer, in tokens. Default 8,192. */
  contextLength?: number | undefined;
  /** Tokens per KV block. Default 16; 1 for llama.cpp, which reuses prefixes of any length. */
  blockSize?: number | undefined;
  /** KV blocks per rank. Default 4,096. */
  totalBlocks?: number | undefined;
  /** Most running requests per rank. Default 64; 4 for llama.cpp, which calls them slots. */
  maxSequences?: number | undefined;
  /** Data-parallel ranks. Default 1. */
  ranks?: number | undefined;
  /** Default true. */
  prefixCaching?: boolean | undefined;
  /** Milliseconds between tokens. Default 0. */
  interTokenMs?: number | undefined;
  /** Prompt tokens evaluated per second. Default: prefill takes no time. */
  prefillTokensPerSecond?: number | undefined;
  /** Whether answers report how many prompt tokens came from the cache. Default true. */
  reportsCachedTokens?: boolean | undefined;
  /** Whether it reports its load under `/metrics`. Default true. */
  hasMetrics?: boolean | undefined;
  /** KV events over ZeroMQ. Default: none. */
  kvEvents?: KvEventOptions | undefined;
  /** Its part in disaggregated serving; `encode` not for llama.cpp. Default: none. */
  role?: "prefill" | "decode" | "encode" | undefined;
  /** Whether it takes images, audio and video, of which its model only reads the ids; not for llama.cpp. Default: none. */
  takesMedia?: boolean | undefined;
  /** Whether TensorRT-LLM's protocol has the fields for what encoders have made. Default true. */
  takesEncoded?: boolean | undefined;
  /** Where encode engines leave embeddings, and the others find them. */
  encoderFolder?: string | undefined;
  /** Called with what it begins to do for each request; not by that of llama.cpp. */
  onWork?: ((work: StandInWork) => void) | undefined;
  /** Whether it has no encoder of its own, but asks others; only for SGLang. Default false. */
  languageOnly?: boolean | undefined;
  /** For how long a prefill engine holds KV blocks, in milliseconds. Default 30,000. */
  kvLeaseMs?: number | undefined;
  /** Milliseconds until it listens. Default 0. */
  startMs?: number | undefined;
  /** How the fault `crash` ends the process. Default: `process.exit(1)`. */
  crash?: (() => void) | undefined;
}

export interface KvEventOptions {
  /** Of rank 0; rank r is on port + r. Default: free ports. */
  port?: number | undefined;
  /** Likewise. Undefined: lost events cannot be replayed. */
  replayPort?: number | undefined;
  topic?: string | undefined;
  /** Batches kept for replays. Default 10,000. */
  replayBatches?: number | undefined;
}

/** What an engine does for a request. */
export interface StandInWork {
  /** `answered`: prompt and answer. */
  readonly did: "encoded" | "prefilled" | "decoded" | "answered";
  /** Kinds of the media that came with it, and `embedding` for each that an encoder has made. */
  readonly media: readonly string[];
  readonly promptTokens: number;
}
