import type { Sampling } from "#runtime";
import type { ServedModel } from "../../models/served-model.ts";
import type { RoutePreferences } from "../../routing/preferences.ts";

/** One answer to be generated: a request with `n` answers or several prompts is that many jobs. */
export interface GenerationJob {
  requestId: string;
  model: ServedModel;
  /** The prompt's token ids. */
  prompt: Uint32Array;
  maxTokens: number;
  sampling: Sampling;
  /** Strings that end the answer; they are not part of it. */
  stops: readonly string[];
  ignoreEos: boolean;
  /** How many of the likeliest tokens to tell beside each one; undefined for no log probabilities. */
  logprobs: number | undefined;
  /** Whether the prompt's own log probabilities are wanted too. */
  echoLogprobs: boolean;
  preferences: RoutePreferences;
}

export type FinishReason = "stop" | "length";

/** A token with its log probability (NaN where it has none), where the job asked for them. */
export interface TokenInfo {
  id: number;
  logprob: number;
  top: readonly (readonly [tokenId: number, logprob: number])[];
}

export interface GenerationResult {
  finishReason: FinishReason;
  usage: Usage;
}

export interface Usage {
  promptTokens: number;
  completionTokens: number;
  cachedTokens: number;
}

/** Where an answer goes as it comes. Exactly one of `onEnd` and `onError` is called, last. */
export interface GenerationOutput {
  /** A worker has taken the job; called once, before anything else. */
  onStart(placement: Placement): void;
  /** The prompt's own tokens, before the answer. */
  onEcho(tokens: readonly TokenInfo[]): void;
  /** A piece of the answer: whole characters, possibly none; tokens only where the job asked for logprobs. */
  onText(text: string, tokens: readonly TokenInfo[] | undefined): void;
  onEnd(result: GenerationResult): void;
  onError(error: Error): void;
}

/** Where the router sent a job. */
export interface Placement {
  /** The worker's short name. */
  worker: string;
  workerId: string;
  dataParallelRank: number;
  overlapBlocks: number;
  /** Whole blocks of the prompt. */
  promptBlocks: number;
}
