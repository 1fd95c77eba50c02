import { expect, test } from "vitest";
import { isLocalExhaustion } from "./exhaustion.ts";

const error = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code });

test.each([
  [error("EMFILE"), true],
  [new TypeError("fetch failed", { cause: error("ENFILE") }), true],
  [new Error("outer", { cause: new AggregateError([error("EADDRNOTAVAIL")]) }), true],
  [error("ECONNREFUSED"), false],
  [new TypeError("fetch failed", { cause: error("ECONNRESET") }), false],
  ["EMFILE", false],
  [undefined, false],
])("%s is exhaustion of a local resource: %s", (given, expected) => {
  expect(isLocalExhaustion(given)).toBe(expected);
});

test("a cycle of causes ends", () => {
  const cycle = new Error("cycle");
  cycle.cause = cycle;
  expect(isLocalExhaustion(cycle)).toBe(false);
});
