import type { ModelCard } from "#runtime";
import { contextLengthExceeded, invalidRequest } from "../kernel/errors.ts";
import type { Tokenizer } from "./tokenizers/tokenizer.ts";

/** A model with a known context length and tokenizer. */
interface BoundedModel {
  readonly card: ModelCard;
  readonly tokenizer: Tokenizer;
}

/**
 * Refuses a text that cannot fit, before any work is done on it: a text has at least as many tokens as its length
 * divided by that of the longest token.
 */
export function refuseOverlongText(
  { length }: { readonly length: number },
  model: BoundedModel,
  param: string,
): void {
  const { contextLength, name } = model.card;
  const leastTokens = Math.ceil(length / model.tokenizer.vocabulary.longestTokenBytes);
  if (leastTokens < contextLength) return;
  throw contextLengthExceeded(
    `The model '${name}' has a context of ${contextLength} tokens, but the prompt has at least ${leastTokens}. Shorten the prompt.`,
    param,
  );
}

/** Most messages that a chat template renders. Each takes about 20 µs and blocks the event loop. */
export const MOST_MESSAGES = 10_000;

/** Whether a conversation has more messages than a chat template renders. */
export const hasManyMessages = (body: Readonly<Record<string, unknown>>): boolean =>
  FIELDS.some((field) => lengthOf(body[field]) > MOST_MESSAGES);

/** The fields with the conversation, in chats and in Responses requests. */
const FIELDS = ["messages", "input"];

const lengthOf = (list: unknown) => (Array.isArray(list) ? list.length : 0);

/**
 * Refuses a conversation that cannot fit, before any work is done on it: every message takes at least one token.
 * @param contextLength in tokens; undefined if unknown
 */
export function refuseOverlongConversation(
  messages: unknown,
  { name, contextLength }: { readonly name: string; readonly contextLength: number | undefined },
): void {
  const count = lengthOf(messages);
  if (contextLength === undefined || count < contextLength) return;
  throw contextLengthExceeded(
    `The model '${name}' has a context of ${contextLength} tokens, but the conversation has ${count} messages. Send fewer.`,
    "messages",
  );
}

/**
 * The token limit of an answer: the requested one, or what remains of the context.
 * @throws ApiError 400 if the prompt leaves no room for an answer
 */
export function answerTokens(
  promptLength: number,
  asked: number | null | undefined,
  model: BoundedModel,
  param: string,
): number {
  const { contextLength, name } = model.card;
  if (promptLength === 0) throw invalidRequest("The prompt is empty; it needs at least one token.", param);
  if (promptLength >= contextLength) {
    throw contextLengthExceeded(
      `The model '${name}' has a context of ${contextLength} tokens, but the prompt has ${promptLength}; at least one token must be left for the answer. Shorten the prompt.`,
      param,
    );
  }
  return Math.min(asked ?? Number.POSITIVE_INFINITY, contextLength - promptLength);
}
