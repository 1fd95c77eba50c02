import type { Sampling } from "#runtime";
import type { ApiError } from "../../kernel/errors.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { LifeJob } from "../life.ts";
import type { Placement } from "../placement.ts";

/** One answer to be generated: a request with `n` answers or several prompts is that many jobs. */
export interface TokenJob extends LifeJob<WorkerMember> {
  readonly model: WorkerSide;
  maxTokens: number;
  sampling: Sampling;
  /** Strings that end the answer; they are not part of it. */
  stops: readonly string[];
  ignoreEos: boolean;
  /** How many of the likeliest tokens to tell beside each one; undefined for no log probabilities. */
  logprobs: number | undefined;
  /** Whether the prompt's own log probabilities are wanted too. */
  echoLogprobs: boolean;
}

export type FinishReason = "stop" | "length";

/** A token with its log probability (NaN where it has none), where the job asked for them. */
export interface TokenInfo {
  id: number;
  logprob: number;
  top: readonly (readonly [tokenId: number, logprob: number])[];
}

export interface TokenResult {
  finishReason: FinishReason;
  usage: Usage;
}

export interface Usage {
  promptTokens: number;
  completionTokens: number;
  cachedTokens: number;
}

/** Where an answer goes as it comes. Exactly one of `onEnd`, `onError` and `onPassedOn` is called, last. */
export interface TokenOutput {
  /** A worker has taken the job; called once, before anything else. */
  onStart(placement: Placement): void;
  /** The prompt's own tokens, before the answer. */
  onEcho(tokens: readonly TokenInfo[]): void;
  /** A piece of the answer: whole characters, possibly none; tokens only where the job asked for logprobs. */
  onText(text: string, tokens: readonly TokenInfo[] | undefined): void;
  onEnd(result: TokenResult): void;
  onError(error: ApiError): void;
  /** Nobody has begun to answer, and another model may. */
  onPassedOn(error: ApiError): void;
}
