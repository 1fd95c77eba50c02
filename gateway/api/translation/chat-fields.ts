import type { Model } from "../../models/model.ts";
import type { Models } from "../../models/models.ts";
import type { AnswerHead } from "../openai/format.ts";
import { QuotedTokens } from "./quoted-tokens.ts";

/**
 * The head of an answer that an engine gives.
 * @param asked the model's name in the request
 * @param quoted set if the answer has log probabilities
 */
export function translatedHead(
  id: string,
  models: Models<Model>,
  asked: string,
  promptTokens: number,
  quoted?: QuotedTokens,
): AnswerHead {
  const found = models.find(asked);
  return {
    id,
    created: Math.floor(Date.now() / 1000),
    model: found?.adapter ?? found?.model.name ?? asked,
    vocabulary: quoted ?? new QuotedTokens(),
    includeUsage: false,
    hasLogprobs: quoted !== undefined,
    promptTokens,
  };
}

/** The fields of a chat completion that ask for a stream which ends with the usage. */
export const streamFields = (stream: boolean | null | undefined): object =>
  stream ? { stream, stream_options: { include_usage: true } } : {};
