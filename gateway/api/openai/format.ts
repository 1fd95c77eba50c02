import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import type { FinishReason, TokenInfo, Usage } from "../../requests/tokens/job.ts";

/** What the answers of one request have in common. */
export interface AnswerHead {
  id: string;
  /** Seconds since the epoch. */
  created: number;
  model: string;
  vocabulary: Vocabulary;
  /** Whether each chunk has a `usage` field and a last chunk tells it. */
  includeUsage: boolean;
  /** Whether choices carry log probabilities. */
  hasLogprobs: boolean;
}

/** One answer of a request, whole. */
export interface Choice {
  index: number;
  text: string;
  tokens: readonly TokenInfo[];
  finishReason: FinishReason;
}

/** How an API writes answers: as server-sent events, or whole. */
export interface AnswerFormat {
  /** The first event of a choice. */
  first(index: number): string;
  text(index: number, text: string, tokens: readonly TokenInfo[] | undefined): string;
  /** The prompt's own tokens with their log probabilities, before the answer. */
  echo(index: number, tokens: readonly TokenInfo[]): string;
  last(index: number, finishReason: FinishReason): string;
  usage(usage: Usage): string;
  /** The body of a request that is not streamed. */
  whole(choices: readonly Choice[], usage: Usage): object;
}

/** Frames a JSON text as one server-sent event. */
const event = (json: string) => `data: ${json}\n\n`;

/**
 * The events of a stream, of which only a choice's fields change: all else is turned into JSON once.
 * @param object what the events call themselves: `chat.completion.chunk`, say
 */
export function eventWriter({ id, created, model, includeUsage }: AnswerHead, object: string) {
  const common = `"id":${JSON.stringify(id)},"object":"${object}","created":${created},"model":${JSON.stringify(model)},"system_fingerprint":null`;
  const tail = includeUsage ? '}],"usage":null}' : "}]}";
  return {
    /** @param content the choice's own field as JSON, `"text":"…"`; logprobs and reason are JSON as well */
    choice: (index: number, content: string, logprobs: string, finishReason: string) =>
      event(
        `{${common},"choices":[{"index":${index},${content},"logprobs":${logprobs},"finish_reason":${finishReason}${tail}`,
      ),
    usage: (usage: Usage) => event(`{${common},"choices":[],"usage":${JSON.stringify(usageObject(usage))}}`),
  };
}

export const DONE = "data: [DONE]\n\n";

export function usageObject({ promptTokens, completionTokens, cachedTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** A token's text; for a part of a character, its bytes spelt as vLLM and OpenAI spell them. */
export function tokenText(vocabulary: Vocabulary, id: number): string {
  const text = vocabulary.text(id);
  if (text !== undefined) return text;
  const hex = Array.from(vocabulary.bytes(id), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`);
  return `bytes:${hex.join("")}`;
}

/** JSON has no infinity: a token without any probability gets OpenAI's stand-in. */
export const finiteLogprob = (logprob: number) => (Number.isFinite(logprob) ? logprob : -9999);
