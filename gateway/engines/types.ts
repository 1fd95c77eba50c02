import type { Constraint } from "./constraint.ts";
import type { Disaggregation, EngineRole } from "./disaggregation/types.ts";
import type { EncoderRegistry, Encoding } from "./encoding/types.ts";

export type { EngineRole };

/** The kind of an engine: `vllm`, `sglang`, …; `openai` is any other server that speaks OpenAI's API. */
export type EngineKind = string;

/** One set of weights that an engine serves. */
export interface EngineModel {
  /** The name that requests use. */
  readonly name: string;
  /** `owned_by` in the model list: most kinds of server name themselves. */
  readonly owner: string | undefined;
  /** Further names of the same weights. */
  readonly aliases: readonly string[];
  /** LoRA adapters on these weights, by the names that requests use. */
  readonly adapters: readonly string[];
  /** Longest prompt plus answer in tokens; undefined if not reported. */
  readonly contextLength: number | undefined;
  /** The source of weights and tokenizer: a folder on the engine's machine, a GGUF file or a hub id. */
  readonly source: string | undefined;
  /** Jinja source of the chat template, if reported. */
  readonly chatTemplate: string | undefined;
}

/** The source of one data-parallel rank's KV events. */
export type KvEventOrigin =
  | {
      readonly kind: "zmq";
      /** The rank in its batches. A server with one of several ranks need not have rank 0. */
      readonly rank: number;
      /** The address for the gateway: `tcp://HOST:PORT`. */
      readonly endpoint: string;
      readonly replayEndpoint: string | undefined;
      readonly topic: string;
    }
  /** The engine is polled. An answer may take 2 seconds if there are no events. */
  | { readonly kind: "poll" };

/** Something that the engine lacks for routing. */
export interface Limitation {
  /** A stable code: `kv-events`, `kv-events-unreadable`, `kv-events-key`, `prefix-caching`, `cached-tokens`, `replay`, `tokenizer`, `load`, `models`, `replicas`, `role`, `isolation`. */
  readonly code: string;
  /** What is missing and what it costs, as a clause. */
  readonly what: string;
  /** The engine's flag that fixes it, as typed on its command line; undefined if there is none. */
  readonly flag: string | undefined;
}

/** The result of probing an engine. */
export interface EngineProfile {
  readonly kind: EngineKind;
  readonly version: string | undefined;
  /** Start time in seconds, which changes when the engine restarts; undefined if not reported. */
  readonly startedAt: number | undefined;
  readonly models: readonly EngineModel[];
  /** Tokens per KV block; undefined if not reported. */
  readonly blockSize: number | undefined;
  /** KV blocks of each data-parallel rank. */
  readonly totalBlocks: number | undefined;
  readonly maxBatchedTokens: number | undefined;
  readonly maxSequences: number | undefined;
  readonly dataParallelSize: number;
  /** Undefined if not reported. */
  readonly hasPrefixCaching: boolean | undefined;
  /** Empty if the engine sends none. */
  readonly kvEvents: readonly KvEventOrigin[];
  /** What the adapter's `tokenize` supports: whole chats, plain text, or nothing. */
  readonly tokenizes: "chat" | "text" | "nothing";
  /** Whether the engine can continue a partial answer in a chat's last message. */
  readonly continuesMessages: boolean;
  /** Its part in requests, as far as it reports one. */
  readonly role?: EngineRole | undefined;
  /** For how long it keeps KV blocks for decode engines, in milliseconds, if reported. */
  readonly kvLeaseMs?: number | undefined;
  /** The port of SGLang's bootstrap server for prefill engines, if reported. */
  readonly bootstrapPort?: number | undefined;
  /** Whether it takes what encoders have made of a chat's media; see `ChatEncoding`. Undefined if it does not say so. */
  readonly takesEncoded?: boolean | undefined;
  /** The address at which it is told of encoders, if it asks them itself. */
  readonly encoderRegistry?: string | undefined;
  /** The engine's paths under `/v1/`; empty if not reported. */
  readonly paths: readonly string[];
  readonly limitations: readonly Limitation[];
}

/** An engine's load and cache statistics; undefined where not reported. */
export interface EngineLoad {
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** Share of the KV cache in use, 0 to 1. */
  readonly kvUsage: number | undefined;
  /** Since the engine's start: prompt tokens looked up in its prefix cache, and the hits. */
  readonly prefixQueries: number | undefined;
  readonly prefixHits: number | undefined;
  readonly startedAt: number | undefined;
  /** Its models, if they were read anyway. */
  readonly models?: readonly EngineModel[];
}

/** A text or a chat to tokenize. */
export type EngineTokenizeRequest =
  | {
      readonly model: string;
      readonly prompt: string;
      /** Whether it continues another text, so that no special tokens are added. */
      readonly isContinued?: boolean;
    }
  /** The body of a chat completion: messages, tools and template arguments. */
  | { readonly model: string; readonly chat: Readonly<Record<string, unknown>> };

/** The engine's own paths for LoRA adapters. Both take `lora_name`, and the first `lora_path`, on the engine's machine. */
export interface LoraPaths {
  readonly load: string;
  readonly unload: string;
  /** What to do if it has no such paths, as a sentence. */
  readonly advice: string;
}

/** Supports one kind of engine beyond OpenAI's API. One file each, registered in `index.ts`. */
export interface EngineAdapter {
  readonly kind: EngineKind;
  /**
   * The engine's flag that makes its answers report cached tokens; undefined if they always do, or cannot. A probe
   * sees no answers, so `ObservedLimitations` detects whether it is missing.
   */
  readonly cachedTokensFlag: string | undefined;
  /** How it divides requests between prefill and decode engines; undefined if it does not. */
  readonly disaggregation?: Disaggregation;
  /** How it has media encoded by other engines; undefined if it does not. */
  readonly encoding?: Encoding;
  /** How it is told of encoders, if it asks them itself. */
  readonly encoderRegistry?: EncoderRegistry;
  /** How it loads LoRA adapters while it runs; undefined if it cannot. */
  readonly lora?: LoraPaths;
  /** The fields that make a request use a LoRA adapter, for engines that do not take its name for a model's. */
  loraFields?(name: string): Readonly<Record<string, unknown>>;
  /**
   * The fields that tell the engine what an answer must be; undefined if the client's fields stay as they are.
   * @param request.version as the engine reports it
   * @throws ApiError 400 if the engine cannot keep to it
   */
  structuredOutput?(
    constraint: Constraint,
    request: { isChat: boolean; version: string | undefined },
  ): Readonly<Record<string, unknown>>;
  /**
   * The fields that keep a request's cached KV apart from that of requests with another salt. Undefined if the engine
   * cannot, for requests to this path; an adapter without this method never can.
   * @param request.version as the engine reports it
   */
  saltFields?(
    salt: string,
    request: { path: string; version: string | undefined },
  ): Readonly<Record<string, unknown>> | undefined;
  /** Whether requests with `saltFields` reuse no cached KV at all. */
  readonly forgetsSalted?: boolean;
  /**
   * Probes the server; undefined if it is of another kind.
   * @throws EngineApiError if it cannot be reached or its answer cannot be read
   */
  probe(api: EngineApi): Promise<EngineProfile | undefined>;
  /**
   * Reads its load. This is also the health check, so it always sends the engine a request.
   * @throws EngineApiError if it does not answer, or reports that it is unhealthy
   */
  readLoad(api: EngineApi): Promise<EngineLoad>;
  /** Its current models and adapters, as a probe would find them. @throws EngineApiError */
  readModels(api: EngineApi): Promise<readonly EngineModel[]>;
  /** Token ids as the engine will see them. @throws EngineApiError */
  tokenize(api: EngineApi, request: EngineTokenizeRequest): Promise<Uint32Array>;
  /**
   * Polls events once, for engines with `poll` sources. Passes on each batch in vLLM's wire format.
   * @param onUnreadable called with the problem of each event that cannot be read, as a clause
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
  /** @param parse instead of `JSON.parse` */
  postJson(path: string, body: unknown, parse?: (text: string) => unknown): Promise<unknown>;
  getText(path: string): Promise<string | undefined>;
  /** The status of the answer to a body, whatever it is; the answer's body is not read. @throws EngineApiError */
  postStatus(path: string, body: unknown): Promise<number>;
  /** The same for DELETE. */
  deleteStatus(path: string, body: unknown): Promise<number>;
  /**
   * The answer to a body, whatever its status.
   * @param timeoutMs in place of the usual time
   * @throws EngineApiError
   */
  postText(path: string, body: unknown, timeoutMs: number): Promise<{ status: number; text: string }>;
}
