import { z } from "zod";

const delta = z.looseObject({
  role: z.string().nullish(),
  content: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
  tool_calls: z.array(z.unknown()).nullish(),
});

/** Of a chat, `content`; of a text completion, `tokens`: an entry for each token. */
const logprobs = z.looseObject({
  content: z.array(z.unknown()).nullish(),
  tokens: z.array(z.unknown()).nullish(),
});

const choice = z.looseObject({
  index: z.number().int().default(0),
  /** Of a chat. */
  delta: delta.nullish(),
  /** Of a text completion. */
  text: z.string().nullish(),
  finish_reason: z.string().nullish(),
  logprobs: logprobs.nullish().catch(undefined),
  /** vLLM's, where the request has `return_token_ids`. */
  token_ids: z.array(z.unknown()).nullish().catch(undefined),
});

const usage = z.looseObject({
  prompt_tokens: z.number(),
  completion_tokens: z.number().nullish(),
  total_tokens: z.number().nullish(),
});

/** One event of a streamed chat or text completion, in OpenAI's shape; unknown fields stay as they are. */
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

/** @param value parsed. Undefined where it is no such event */
export function readAnswerEvent(value: unknown): AnswerEvent | undefined {
  return answerEvent.safeParse(value).data;
}

/** What a choice of an event adds to the answer, reasoning included. */
export const textOf = ({ delta, text }: AnswerChoice): string =>
  `${delta?.reasoning_content ?? delta?.reasoning ?? ""}${delta?.content ?? text ?? ""}`;

/** How many tokens a choice of an event has, where it tells. */
export const tokensIn = ({ logprobs, token_ids }: AnswerChoice): number | undefined =>
  token_ids?.length ?? logprobs?.content?.length ?? logprobs?.tokens?.length;
