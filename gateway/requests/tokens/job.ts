import type { Salt } from "#router-wasm";
import type { FinishReason, Grammar, PromptMedium, Sampling } from "#runtime";
import type { ApiError } from "../../kernel/errors.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { AnswerFormats } from "../../parsers/answer-parser.ts";
import type { LifeJob } from "../life.ts";
import type { Placement } from "../placement.ts";

/** One answer to generate. A request with several prompts or `n` above 1 consists of several jobs. */
export interface TokenJob extends LifeJob<WorkerMember> {
  readonly model: WorkerSide;
  /** Its LoRA adapter, and the requests with which it shares a cache; undefined for the model itself and all. */
  readonly salt: Salt | undefined;
  /** Set if its prompt has media: what workers get in place of `prompt`, which is for the router. */
  readonly media?: JobMedia | undefined;
  maxTokens: number;
  sampling: Sampling;
  /** Strings that end the answer, and are not part of it. */
  stops: readonly string[];
  ignoreEos: boolean;
  /** The answer keeps to it. */
  grammar?: Grammar | undefined;
  /** How many of the most likely tokens to return for each token; undefined for no log probabilities. */
  logprobs: number | undefined;
  /** Whether to return the prompt's log probabilities too. */
  echoLogprobs: boolean;
  /** How the answer is separated into text, reasoning and calls; undefined if all of it is text. */
  reading?: AnswerReading | undefined;
}

/** A prompt with media. */
export interface JobMedia {
  /** With nothing in the place of media. */
  readonly tokens: Uint32Array;
  readonly items: readonly JobMedium[];
  /** The field of the request that has the conversation. */
  readonly param: string;
}

export interface JobMedium extends PromptMedium {
  /** What encode workers know it by: the same for the same bytes, and only in requests that may share a cache. */
  readonly id: string;
  /** Where it is in the request. */
  readonly path: string | undefined;
}

export interface AnswerReading {
  readonly formats: AnswerFormats;
  /** Whether the answer begins in the middle of reasoning. */
  readonly isInside: boolean;
  /** Whether the answer ends with its first call. */
  readonly isSingleCall: boolean;
}

/** Why an answer ends, as clients are told. */
export type AnswerEnd = FinishReason | "tool_calls";

/** A token with its log probability (NaN if it has none). */
export interface TokenInfo {
  id: number;
  logprob: number;
  top: readonly (readonly [tokenId: number, logprob: number])[];
}

export interface TokenResult {
  finishReason: AnswerEnd;
  /** The stop string that ended the answer, if one did. */
  stopString: string | undefined;
  usage: Usage;
}

export interface Usage {
  promptTokens: number;
  completionTokens: number;
  cachedTokens: number;
  /** Those of the completion with which the model reasoned; undefined for a model that is not known to reason. */
  reasoningTokens?: number | undefined;
}

/** Receives an answer as it is generated. Exactly one of `onEnd`, `onError` and `onFallback` is called, last. */
export interface TokenOutput {
  /** A worker has begun to answer. Called once, before anything else except `onError` and `onFallback`. */
  onStart(placement: Placement): void;
  /** The prompt's tokens, before the answer. */
  onEcho(tokens: readonly TokenInfo[]): void;
  /** A piece of the answer: whole characters, possibly none; tokens only if the job asked for logprobs. */
  onText(text: string, tokens: readonly TokenInfo[] | undefined): void;
  /** A piece of the model's reasoning; otherwise like `onText`. */
  onReasoning(text: string, tokens: readonly TokenInfo[] | undefined): void;
  /** The model calls a function. @param id as the model wrote it; undefined if its format has none */
  onCall(name: string, id: string | undefined): void;
  /** A piece of the last call's arguments, as JSON. */
  onArguments(json: string): void;
  onEnd(result: TokenResult): void;
  onError(error: ApiError): void;
  /** No member has begun to answer, but another model may. */
  onFallback(error: ApiError): void;
}
