import type { GenerateRequest, KvEvent, ModelCard, TokenPiece } from "#runtime";

/**
 * What a worker drives. An engine takes token ids and answers with token ids; text is the gateway's business.
 * Only `card`, `generate`, `stats` and `close` are needed; what is left out is not offered to clients.
 */
export interface Engine {
  /** What the gateway must know of the model to serve it. */
  readonly card: ModelCard;
  /**
   * Answers one request. The stream ends with a delta that has `finish`, or throws. When `signal` aborts, the
   * engine stops within one token; what it yields after that is dropped.
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<Delta>;
  stats(): EngineStats;
  /** Frees the engine's memory; no request is running. */
  close(): Promise<void>;

  /** Token ids of `text`, with control tokens recognised. For models whose tokenizer lives in the engine. */
  tokenize?(text: string): Uint32Array | Promise<Uint32Array>;
  /** Every token's bytes, in the order of their ids. Needed where `tokenize` is. */
  vocabulary?(): TokenPiece[];
  /** One vector for each input. */
  embed?(inputs: readonly Uint32Array[], signal: AbortSignal): Promise<Float32Array[]>;
  /** What the prefix cache holds. An engine without one leaves this out. */
  kvEvents?: KvEventSource;
}

export interface KvEventSource {
  /** Calls `listener` with every change of a rank's prefix cache, in order. Called once, before any request. */
  subscribe(listener: (events: KvEvent[], dataParallelRank?: number) => void): void;
  /** Stored events for all that a rank's prefix cache holds now; engines with one rank need not look at it. */
  snapshot(dataParallelRank: number): KvEvent[];
}

/**
 * Tokens that came out together (usually one), and what is known with them.
 */
export interface Delta {
  tokenIds: readonly number[];
  /** One for each token, where the request asked for them. */
  logprobs?: readonly TokenLogprob[];
  /** Prompt tokens that the prefix cache held. Sent once, with or before the first token. */
  cachedTokens?: number;
  /** The tokens are the prompt's own, with their log probabilities (`echoLogprobs`); they come first. */
  echo?: boolean;
  /** Why the answer ends: a token that ends it, or its length. */
  finish?: "stop" | "length";
  /** The token that ended the answer; it is not among `tokenIds`. */
  stopToken?: number;
}

export interface TokenLogprob {
  /** Natural logarithm of the token's probability. */
  logprob: number;
  /** The most probable tokens at this place, best first. */
  top: readonly (readonly [tokenId: number, logprob: number])[];
}

/** Load, in the field's names. */
export interface EngineStats {
  /** Requests that hold a sequence. */
  running: number;
  /** Requests that wait for one. */
  waiting: number;
  /** Share of the KV cache in use, 0 to 1. */
  kvUsage: number;
}
