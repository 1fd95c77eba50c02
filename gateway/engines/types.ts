/** The kind of a server, as its adapter names it: `vllm`, `sglang`, …; `openai` is any other that speaks OpenAI's API. */
export type EngineKind = string;

/** One set of weights that an engine serves. */
export interface EngineModel {
  /** The name that requests give. */
  readonly name: string;
  /** Who made the list that it is in, as the list says: most kinds of server name themselves. */
  readonly owner: string | undefined;
  /** Further names of the same weights. */
  readonly aliases: readonly string[];
  /** LoRA adapters on these weights, by the names that requests give. */
  readonly adapters: readonly string[];
  /** Longest prompt plus answer in tokens; undefined where the engine does not tell. */
  readonly contextLength: number | undefined;
  /** Where weights and tokenizer come from: a folder of the engine's machine, a GGUF file or a hub's id. */
  readonly source: string | undefined;
  /** Jinja source of the chat template, where the engine tells it. */
  readonly chatTemplate: string | undefined;
}

/** Where the KV events of one data-parallel rank come from. */
export type KvEventSource =
  | {
      readonly kind: "zmq";
      /** As its batches name it. A server of one rank behind a load balancer need not be rank 0. */
      readonly rank: number;
      /** As the gateway reaches it: `tcp://HOST:PORT`. */
      readonly endpoint: string;
      readonly replayEndpoint: string | undefined;
      readonly topic: string;
    }
  /** The engine is asked for its events again and again. An answer may take it 2 seconds, where there are none. */
  | { readonly kind: "poll" };

/** Something that the engine could do for routing but does not, in words. */
export interface Limitation {
  /** A stable word: `kv-events`, `kv-events-unreadable`, `prefix-caching`, `cached-tokens`, `replay`, `tokenizer`, `load`, `models`, `replicas`. */
  readonly code: string;
  /** What is missing and what it costs, as half a sentence. */
  readonly what: string;
  /** The engine's flag that mends it, as it is typed; undefined where none does. */
  readonly flag: string | undefined;
}

/** What a probe has found out about an engine. */
export interface EngineProfile {
  readonly kind: EngineKind;
  readonly version: string | undefined;
  /** Changes when the engine is started again; undefined where it does not tell. */
  readonly startedAt: number | undefined;
  readonly models: readonly EngineModel[];
  /** Tokens in a KV block; undefined where the engine does not tell. */
  readonly blockSize: number | undefined;
  /** KV blocks in all, of each data-parallel rank. */
  readonly totalBlocks: number | undefined;
  readonly maxBatchedTokens: number | undefined;
  readonly maxSequences: number | undefined;
  readonly dataParallelSize: number;
  /** Undefined where the engine does not tell. */
  readonly hasPrefixCaching: boolean | undefined;
  /** Empty where the engine sends none. */
  readonly kvEvents: readonly KvEventSource[];
  /** What `tokenize` of the adapter can do: whole chats, plain text, or nothing. */
  readonly tokenizes: "chat" | "text" | "nothing";
  /** Whether a chat's last message may be a partial answer that the engine continues. */
  readonly continuesMessages: boolean;
  /** Paths under `/v1/` that the engine has, as it lists them; empty where it does not. */
  readonly paths: readonly string[];
  readonly limitations: readonly Limitation[];
}

/** What an engine says of its load and its cache at one moment; undefined where it does not tell. */
export interface EngineLoad {
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** Share of the KV cache in use, 0 to 1. */
  readonly kvUsage: number | undefined;
  /** Since the engine's start: prompt tokens looked up in its prefix cache, and those found. */
  readonly prefixQueries: number | undefined;
  readonly prefixHits: number | undefined;
  readonly startedAt: number | undefined;
  /** What it serves, where that was asked for anyway. */
  readonly models?: readonly EngineModel[];
}

/** What a text or a chat is, as far as an engine's tokenizer needs to know. */
export type TokenizeRequest =
  | {
      readonly model: string;
      readonly prompt: string;
      /** Whether it follows another text, so that nothing special belongs before it. */
      readonly isContinued?: boolean;
    }
  /** The body of a chat completion: its messages, tools and template's arguments. */
  | { readonly model: string; readonly chat: Readonly<Record<string, unknown>> };

/** What a kind of engine speaks beside OpenAI's API. One file each, registered in `index.ts`. */
export interface EngineAdapter {
  readonly kind: EngineKind;
  /**
   * The engine's flag that makes its answers say how much of the prompt came from its cache; undefined where they
   * always do, or cannot. A probe sees no answers: whoever does tells of what is missing.
   */
  readonly cachedTokensFlag: string | undefined;
  /**
   * Finds out what the server is; undefined where it is of another kind.
   * @throws EngineApiError where it cannot be reached or answers with what cannot be read
   */
  probe(api: EngineApi): Promise<EngineProfile | undefined>;
  /**
   * How busy it is. This is also how an engine is found to be well: it always asks the engine something.
   * @throws EngineApiError where it does not answer, or says that it is not well
   */
  readLoad(api: EngineApi): Promise<EngineLoad>;
  /** What it serves now, as a probe would find it: adapters and models come and go. @throws EngineApiError */
  readModels(api: EngineApi): Promise<readonly EngineModel[]>;
  /** Token ids as the engine will see them. @throws EngineApiError */
  tokenize(api: EngineApi, request: TokenizeRequest): Promise<Uint32Array>;
  /**
   * For engines whose events are asked for: one round. Hands on each batch in vLLM's wire format.
   * @param onUnreadable is told what is wrong with each event that cannot be read, as half a sentence
   * @throws EngineApiError
   */
  pollKvEvents?(
    api: EngineApi,
    onPayload: (payload: Uint8Array) => void,
    onUnreadable: (what: string) => void,
  ): Promise<void>;
}

/** Small requests to one engine: bounded in time and size, no redirects, only at its configured address. */
export interface EngineApi {
  /** The engine's base address, without a trailing slash. */
  readonly url: string;
  /** The body of a 2xx answer; undefined for 404, 405 and 501. @throws EngineApiError for everything else */
  getJson(path: string): Promise<unknown>;
  postJson(path: string, body: unknown): Promise<unknown>;
  getText(path: string): Promise<string | undefined>;
}
