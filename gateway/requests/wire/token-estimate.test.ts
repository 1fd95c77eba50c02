import { expect, test } from "vitest";
import { TokenEstimate } from "./token-estimate.ts";

const content = (text: string, more: object = {}) => ({
  choices: [{ index: 0, delta: { content: text }, ...more }],
});

test("counts an event as one token if its text is about a word", () => {
  const estimate = new TokenEstimate({ bytesPerToken: 4 });
  for (const text of ["The", " quick", " b", "rown"]) estimate.sample(content(text), 1);
  expect(estimate.of(100)).toBe(100);
});

test("counts an event with several words as several tokens", () => {
  const estimate = new TokenEstimate({ bytesPerToken: 4 });
  estimate.sample(content(""), 1);
  estimate.sample(content("The quick brown fox "), 2);
  expect(estimate.of(100)).toBe(500);
});

test("prefers token counts from the engine to the length of the text", () => {
  const withLogprobs = new TokenEstimate({ bytesPerToken: 4 });
  withLogprobs.sample(content("extraordinarily long", { logprobs: { content: [{}, {}] } }), 1);
  expect(withLogprobs.of(10)).toBe(20);
  const withIds = new TokenEstimate({ bytesPerToken: 4 });
  withIds.sample(content("abc", { token_ids: [1, 2, 3] }), 1);
  expect(withIds.of(10)).toBe(30);
  const withUsage = new TokenEstimate({ bytesPerToken: 4 });
  withUsage.sample({ ...content("abc"), usage: { prompt_tokens: 1, completion_tokens: 37 } }, 8);
  expect(withUsage.of(8)).toBe(37);
  expect(withUsage.of(10)).toBe(39);
});

test("uses the average length of the model's tokens", () => {
  const estimate = new TokenEstimate({ bytesPerToken: 1 });
  estimate.sample(content("abcde"), 1);
  expect(estimate.of(10)).toBe(50);
});
