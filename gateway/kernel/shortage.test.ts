import { expect, test } from "vitest";
import { isOwnShortage } from "./shortage.ts";

const error = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code });

test.each([
  [error("EMFILE"), true],
  [new TypeError("fetch failed", { cause: error("ENFILE") }), true],
  [new Error("outer", { cause: new AggregateError([error("EADDRNOTAVAIL")]) }), true],
  [error("ECONNREFUSED"), false],
  [new TypeError("fetch failed", { cause: error("ECONNRESET") }), false],
  ["EMFILE", false],
  [undefined, false],
])("%s is a shortage of this process: %s", (given, expected) => {
  expect(isOwnShortage(given)).toBe(expected);
});

test("a circle of causes ends", () => {
  const circle = new Error("circle");
  circle.cause = circle;
  expect(isOwnShortage(circle)).toBe(false);
});
