import { expect } from "vitest";
import { freshText, post } from "./setup.ts";

const TOKENS = 24;

/** What an answer says, and how sure the model is of each token. */
export interface Said {
  readonly text: string;
  readonly logprobs: number[];
}

/** The same text, and log probabilities but for the last digits, which depend on what else is in the batch. */
export function expectSame(answer: Said, expected: Said): void {
  expect(answer.text).toBe(expected.text);
  for (const [index, logprob] of answer.logprobs.entries())
    expect(logprob).toBeCloseTo(expected.logprobs[index]!, 3);
}

export const greedy = { temperature: 0, max_tokens: TOKENS, ignore_eos: true };

export async function complete(base: string, prompt: string): Promise<Said> {
  const response = await post(base, "/v1/completions", { ...greedy, prompt, logprobs: 1 });
  const answer = await response.json();
  expect(response.status, JSON.stringify(answer)).toBe(200);
  const [{ text, logprobs }] = answer.choices;
  return { text, logprobs: logprobs.token_logprobs };
}

/** New prompts, long enough for a prefill engine. */
export const prompts = (count: number) => Array.from({ length: count }, () => freshText(700));
