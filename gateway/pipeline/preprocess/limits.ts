import { contextLengthExceeded, invalidRequest } from "../../errors.ts";
import type { ServedModel } from "../serving/served-model.ts";

/**
 * Refuses a text that cannot fit, before any work is done on it: no text has fewer tokens than its length
 * divided by that of the longest token.
 */
export function refuseHopelessLength(text: string, model: ServedModel, param: string): void {
  const { contextLength, name } = model.card;
  const leastTokens = Math.ceil(text.length / model.tokenizer.vocabulary.longestTokenBytes);
  if (leastTokens < contextLength) return;
  throw contextLengthExceeded(
    `The model '${name}' has a context of ${contextLength} tokens, but the prompt has at least ${leastTokens}. Shorten the prompt.`,
    param,
  );
}

/**
 * How many tokens the answer may have: what was asked for, or all that the context leaves.
 * @throws ApiError 400 where the prompt leaves no room for one
 */
export function answerTokens(
  promptLength: number,
  asked: number | null | undefined,
  model: ServedModel,
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
