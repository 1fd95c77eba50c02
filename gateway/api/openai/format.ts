import type { ApiError } from "../../kernel/errors.ts";
import type { Eventually } from "../../kernel/eventually.ts";
import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import type { AnswerEnd, TokenInfo, TokenResult, Usage } from "../../requests/tokens/job.ts";

/** What all answers to one request share. */
export interface AnswerHead {
  id: string;
  /** Seconds since the epoch. */
  created: number;
  model: string;
  vocabulary: Vocabulary;
  /** Whether each chunk has a `usage` field and a final chunk reports it. */
  includeUsage: boolean;
  /** Whether choices include log probabilities. */
  hasLogprobs: boolean;
  /** Length of the prompts. */
  promptTokens: number;
}

/** One complete answer to a request. */
export interface Choice {
  index: number;
  text: string;
  reasoning: string;
  calls: readonly Call[];
  tokens: readonly TokenInfo[];
  finishReason: AnswerEnd;
  /** The stop string that ended it, if one did. */
  stopString: string | undefined;
}

/** A call of a function. */
export interface Call {
  readonly id: string;
  readonly name: string;
  /** As JSON. */
  readonly arguments: string;
}

/** How an API formats answers: as server-sent events, or as one body. */
export interface AnswerFormat {
  /** The first event of a choice. */
  first(index: number): string;
  text(index: number, text: string, tokens: readonly TokenInfo[] | undefined): string;
  /** The prompt's tokens with their log probabilities, before the answer. */
  echo(index: number, tokens: readonly TokenInfo[]): string;
  reasoning(index: number, text: string, tokens: readonly TokenInfo[] | undefined): string;
  call(index: number, name: string, id: string): string;
  /** A piece of the last call's arguments. */
  arguments(index: number, json: string): string;
  last(index: number, result: TokenResult): string;
  /** Ends the stream after the last choice. A promise never rejects. */
  end(usage: Usage): Eventually<string>;
  /** Ends the stream with an error. */
  error(error: ApiError): string;
  /** The body of a request that is not streamed. A promise never rejects. */
  whole(choices: readonly Choice[], usage: Usage): Eventually<object>;
}

/** Frames JSON as one server-sent event. */
const event = (json: string) => `data: ${json}\n\n`;

const DONE = "data: [DONE]\n\n";

/**
 * Writes the events of a stream. Only a choice's fields change; everything else is serialized once.
 * @param object the events' `object` field, such as `chat.completion.chunk`
 */
export function eventWriter({ id, created, model, includeUsage }: AnswerHead, object: string) {
  const common = `"id":${JSON.stringify(id)},"object":"${object}","created":${created},"model":${JSON.stringify(model)},"system_fingerprint":null`;
  const tail = includeUsage ? '}],"usage":null}' : "}]}";
  return {
    /** @param content the choice's own field as JSON, `"text":"…"`; logprobs and finishReason are JSON too */
    choice: (index: number, content: string, logprobs: string, finishReason: string) =>
      event(
        `{${common},"choices":[{"index":${index},${content},"logprobs":${logprobs},"finish_reason":${finishReason}${tail}`,
      ),
    end: (usage: Usage) =>
      (includeUsage ? event(`{${common},"choices":[],"usage":${JSON.stringify(usageObject(usage))}}`) : "") +
      DONE,
    error: (error: ApiError) => event(JSON.stringify(error)),
  };
}

export function usageObject({ promptTokens, completionTokens, cachedTokens, reasoningTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    ...(reasoningTokens !== undefined && {
      completion_tokens_details: { reasoning_tokens: reasoningTokens },
    }),
  };
}

/** A token's text; for a partial character, its bytes, escaped as vLLM and OpenAI do. */
export function tokenText(vocabulary: Vocabulary, id: number): string {
  const text = vocabulary.text(id);
  if (text !== undefined) return text;
  const hex = Array.from(vocabulary.bytes(id), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`);
  return `bytes:${hex.join("")}`;
}

/** JSON has no infinity: a token with probability 0 gets OpenAI's placeholder. */
export const finiteLogprob = (logprob: number) => (Number.isFinite(logprob) ? logprob : -9999);
