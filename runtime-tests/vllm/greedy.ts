import { expect } from "vitest";
import { areReady, attach, freshText, post } from "./setup.ts";
import type { VllmServer } from "./vllm-server.ts";

const TOKENS = 24;

/** What an answer says, and how sure the model is of each token. */
export interface Said {
  readonly text: string;
  readonly logprobs: number[];
}

/** The same text, and log probabilities but for the last digits, which depend on what else is in the batch. */
export function expectSame(answer: Said, expected: Said): void {
  expect(answer.text).toBe(expected.text);
  expect(answer.logprobs).toHaveLength(expected.logprobs.length);
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

/**
 * Lets engines compile what their first answers need, which takes so long on few cores that leases run out meanwhile, and
 * find each other.
 * @param roles the flags of `stator attach` that name them
 */
export async function warmUp(servers: readonly VllmServer[], roles: readonly string[]): Promise<void> {
  await Promise.all(servers.flatMap(({ url }) => prompts(3).map((prompt) => complete(url, prompt))));
  const { stator, url } = await attach([], ...roles, "--health-failures=100");
  await areReady(url, servers.length);
  for (const prompt of prompts(2)) await complete(url, prompt);
  await stator.stop();
}
