import { expect, test } from "vitest";
import { collect, engineSuite, requestFor, tokensOf } from "../engine.suite.ts";
import { openEcho } from "./engine.ts";

engineSuite("echo", () => openEcho());

test("echo repeats the prompt", async () => {
  const engine = openEcho();
  const request = requestFor(Uint32Array.of(1, 2, 3), { maxTokens: 7 });
  const deltas = await collect(engine.generate(request, new AbortController().signal));
  expect(tokensOf(deltas)).toEqual([1, 2, 3, 1, 2, 3, 1]);
});
