import { z } from "zod";

const delta = z.looseObject({
  role: z.string().nullish(),
  content: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
  tool_calls: z.array(z.unknown()).nullish(),
});

const choice = z.looseObject({
  index: z.number().int().default(0),
  /** Of a chat. */
  delta: delta.nullish(),
  /** Of a text completion. */
  text: z.string().nullish(),
  finish_reason: z.string().nullish(),
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

/** Undefined where the data is no such event. */
export function readAnswerEvent(data: string): AnswerEvent | undefined {
  try {
    return answerEvent.parse(JSON.parse(data));
  } catch {
    return undefined;
  }
}
