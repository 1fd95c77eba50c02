import { z } from "zod";

const delta = z.looseObject({
  role: z.string().nullish(),
  content: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
  tool_calls: z.array(z.unknown()).nullish(),
});

/** One entry per token: `content` in chats, `tokens` in text completions. */
const logprobs = z.looseObject({
  content: z.array(z.unknown()).nullish(),
  tokens: z.array(z.unknown()).nullish(),
});

const choice = z.looseObject({
  index: z.number().int().default(0),
  /** In chats. */
  delta: delta.nullish(),
  /** In text completions. */
  text: z.string().nullish(),
  finish_reason: z.string().nullish(),
  logprobs: logprobs.nullish().catch(undefined),
  /** From vLLM, if the request has `return_token_ids`. */
  token_ids: z.array(z.unknown()).nullish().catch(undefined),
});

const usage = z.looseObject({
  prompt_tokens: z.number(),
  completion_tokens: z.number().nullish(),
  total_tokens: z.number().nullish(),
});

/** One event of a streamed chat or text completion, in OpenAI's format; unknown fields are kept. */
const answerEvent = z.looseObject({
  id: z.string().nullish(),
  created: z.number().nullish(),
  model: z.string().nullish(),
  choices: z.array(choice).nullish(),
  usage: usage.nullish(),
  error: z.unknown().optional(),
});

export type AnswerEvent = z.infer<typeof answerEvent>;
export type AnswerChoice = z.infer<typeof choice>;

/** @param value parsed JSON. @returns undefined if it is not such an event */
export function readAnswerEvent(value: unknown): AnswerEvent | undefined {
  return answerEvent.safeParse(value).data;
}

/** The text that a choice of an event adds to the answer, including reasoning. */
export const textOfChoice = ({ delta, text }: AnswerChoice): string =>
  `${delta?.reasoning_content ?? delta?.reasoning ?? ""}${delta?.content ?? text ?? ""}`;

/** How many tokens a choice of an event has, if reported. */
export const tokensIn = ({ logprobs, token_ids }: AnswerChoice): number | undefined =>
  token_ids?.length ?? logprobs?.content?.length ?? logprobs?.tokens?.length;
