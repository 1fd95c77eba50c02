import { expect, test } from "vitest";
import { TextTokens } from "./text-tokens.ts";

test("the first texts are counted, and then now and then one", () => {
  const tokens = new TextTokens();
  const due = Array.from({ length: 200 }, () => tokens.isDue());
  expect(due.flatMap((isDue, index) => (isDue ? [index] : []))).toEqual([0, 1, 2, 64, 128, 192]);
});

test("a token is as long as in English until a text is counted, and then follows what is", () => {
  const tokens = new TextTokens();
  expect(tokens.bytesPerToken).toBe(4);
  tokens.learn(0, 0);
  expect(tokens.bytesPerToken).toBe(4);
  tokens.learn(100, 50);
  expect(tokens.bytesPerToken).toBe(2);
  tokens.learn(100, 100);
  expect(tokens.bytesPerToken).toBe(1.75);
});
