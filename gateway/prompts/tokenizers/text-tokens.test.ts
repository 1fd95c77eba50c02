import { expect, test } from "vitest";
import { TextTokens } from "./text-tokens.ts";

test("the first texts are counted, then one in 64", () => {
  const tokens = new TextTokens();
  const due = Array.from({ length: 200 }, () => tokens.isDue());
  expect(due.flatMap((isDue, index) => (isDue ? [index] : []))).toEqual([0, 1, 2, 64, 128, 192]);
});

test("the length of a token starts at the English average, and then follows the counted texts", () => {
  const tokens = new TextTokens();
  expect(tokens.bytesPerToken).toBe(4);
  tokens.learn(0, 0);
  expect(tokens.bytesPerToken).toBe(4);
  tokens.learn(100, 50);
  expect(tokens.bytesPerToken).toBe(2);
  tokens.learn(100, 100);
  expect(tokens.bytesPerToken).toBe(1.75);
});
