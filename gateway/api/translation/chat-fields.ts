import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import type { AnswerHead } from "../openai/format.ts";

/** The head of an answer that an engine gives. */
export const translatedHead = (id: string, model: string, promptTokens: number): AnswerHead => ({
  id,
  created: Math.floor(Date.now() / 1000),
  model,
  vocabulary: NO_VOCABULARY,
  includeUsage: false,
  hasLogprobs: false,
  promptTokens,
});

/** The fields of a chat completion that ask for a stream which ends with the usage. */
export const streamFields = (stream: boolean | null | undefined): object =>
  stream ? { stream, stream_options: { include_usage: true } } : {};

/** An engine's answer is text already. */
const NO_VOCABULARY: Vocabulary = {
  size: 0,
  text: () => undefined,
  bytes: () => new Uint8Array(0),
  isControl: () => false,
  controlTokens: new Map(),
  longestTokenBytes: 1,
};
