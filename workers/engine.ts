import type {
  GenerateRequest,
  KvEvent,
  MediumToEncode,
  ModelCard,
  PromptMedium,
  TokenPiece,
  TranscribeEvent,
  TranscribeRequest,
  WorkerRole,
} from "#runtime";
import type { KvExport, KvImport } from "./kv/types.ts";

/**
 * The engine of a worker. It takes token ids and answers with token ids; the gateway handles text. Only `card`,
 * `generate`, `stats` and `close` are required; missing features are not offered to clients.
 */
export interface Engine {
  /** Everything the gateway needs to serve the model. */
  readonly card: ModelCard;
  /**
   * Answers one request. The stream ends with a delta that has `finish`, or throws. When `signal` aborts, the engine
   * must stop within one token; later deltas are dropped. Only the kinds of media in `card.media` come with requests.
   */
  generate(request: EngineRequest, signal: AbortSignal): AsyncIterable<Delta>;
  stats(): EngineStats;
  /** Frees the engine's memory; no request is running. */
  close(): Promise<void>;

  /** The roles that it can have; default: those that its methods allow. */
  readonly roles?: readonly WorkerRole[];
  /** Token ids of `text`, with control tokens recognised. For models whose tokenizer is part of the engine. */
  tokenize?(text: string): Uint32Array | Promise<Uint32Array>;
  /** Every token's bytes, in the order of ids. Required with `tokenize`. */
  vocabulary?(): TokenPiece[];
  /** One vector per input. */
  embed?(inputs: readonly Uint32Array[], signal: AbortSignal): Promise<Float32Array[]>;
  /**
   * Turns speech into text, and yields it as it is ready; the last event has `done`. When `signal` aborts, the engine must
   * stop within one token. If the request cannot be served as it is, because its file is not audio for example, it throws a
   * `TranscribeRefusedError`.
   */
  transcribe?(request: TranscribeRequest, signal: AbortSignal): AsyncIterable<TranscribeEvent>;
  /**
   * Turns media into what language models take in their place: features, for engines whose card has the same
   * `featureFormat`, or text. One result for each medium, in their order. It is for workers with the role `encode`, and
   * needs `media` and `featureFormat` on the card.
   */
  encode?(media: readonly MediumToEncode[], signal: AbortSignal): Promise<readonly Encoded[]>;
  /** Events of the prefix cache. Omit it if the engine has none. */
  kvEvents?: KvEventSource;
  /** LoRA adapters on the model, which answer requests that have their `loraName`. */
  lora?: LoraAdapters;

  /**
   * Computes the prompt's KV and the answer's first token, and offers the KV to another worker, whose engine continues
   * from there. An engine has this method, `importKv` and its card's `kvFormat`, or none of the three.
   */
  exportKv?(request: GenerateRequest, signal: AbortSignal): Promise<Prefilled>;
  /**
   * Answers like `generate`, but takes the KV of the prompt's first `kv.tokens` tokens from another worker. Its first delta,
   * which can be without tokens, says that it has the KV. If it throws a `KvUnusableError` before that, `generate` answers
   * instead; it must then hold nothing.
   */
  importKv?(request: GenerateRequest, kv: KvImport, signal: AbortSignal): AsyncIterable<Delta>;
}

/** What an engine is asked. */
export interface EngineRequest extends GenerateRequest {
  media?: EngineMedium[] | undefined;
}

/** A medium of a prompt. */
export interface EngineMedium extends PromptMedium {
  /** Its features, if an encode worker with the card's `featureFormat` has made them. Without, `data` are to be encoded. */
  encoded?: Uint8Array | undefined;
}

/** What an engine's `encode` makes of a medium. */
export type Encoded =
  /** Features as engines with the same `featureFormat` read them. @param tokens that the medium becomes in a prompt */
  | { readonly kind: "features"; readonly features: Uint8Array; readonly tokens: number }
  /** For models without media of their own; the card's `featureFormat` is then `textFormat`. */
  | { readonly kind: "text"; readonly text: string }
  /** It cannot be encoded. @param message a sentence for the client @param isTooLarge whether a smaller one could be */
  | { readonly kind: "refused"; readonly message: string; readonly isTooLarge?: boolean | undefined };

export interface KvEventSource {
  /** Calls `listener` with every change of a rank's prefix cache, in order. Called once, before any request. */
  subscribe(listener: (events: KvEvent[], dataParallelRank?: number) => void): void;
  /** Stored events for a rank's current prefix cache; engines with one rank can ignore the argument. */
  snapshot(dataParallelRank: number): KvEvent[];
}

export interface LoraAdapters {
  /** Those that requests can name now. */
  readonly names: readonly string[];
  /**
   * Loads an adapter, in place of one that has its name already; requests that run on that one go on.
   * @throws PlaneError `invalid_request` if the file is not an adapter for this model
   */
  load(name: string, path: string): Promise<void>;
  /** Takes no more requests for the adapter; running ones go on. */
  unload(name: string): Promise<void>;
}

/**
 * Tokens that were generated together (usually one), with metadata.
 */
export interface Delta {
  tokenIds: readonly number[];
  /** One per token, if the request asked for them. */
  logprobs?: readonly TokenLogprob[];
  /** Prompt tokens found in the prefix cache. Sent once, with or before the first token. */
  cachedTokens?: number;
  /** Prompt tokens that the request's media became. Sent once, with or before the first token. */
  mediaTokens?: number;
  /** Whether the tokens are the prompt's own, with log probabilities (`echoLogprobs`); these precede the answer. */
  echo?: boolean;
  /** Why the answer ends: a stop token, or its length. */
  finish?: "stop" | "length";
  /** The token that ended the answer; it is not among `tokenIds`. */
  stopToken?: number;
}

/** What an engine's `exportKv` returns. */
export interface Prefilled {
  /**
   * The answer's first token, with `cachedTokens` and what else belongs to it; or, if the answer ends there, also its
   * `finish`.
   */
  readonly delta: Delta;
  /** The prompt's KV; absent if the answer has ended. */
  readonly kv?: KvExport | undefined;
}

export interface TokenLogprob {
  /** Natural logarithm of the token's probability. */
  logprob: number;
  /** The most probable tokens at this position, best first. */
  top: readonly (readonly [tokenId: number, logprob: number])[];
}

/** The engine's load. */
export interface EngineStats {
  /** Requests that hold a sequence. */
  running: number;
  /** Requests that wait for one. */
  waiting: number;
  /** Share of the KV cache in use, 0 to 1. */
  kvUsage: number;
}
