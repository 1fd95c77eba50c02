import { expect, it } from "vitest";
import { z } from "zod";
import { validate, validateField } from "./validate.ts";

const limit = z.coerce.number().int().min(1).max(100).default(20);

it.each([
  ["abc", "expected a number, but got text"],
  ["Infinity", "expected a number, but got one that is too large"],
  ["1.5", "expected an integer, but got a fraction"],
  ["0", "must be at least 1"],
])("the error for %s as a number in a query string", (text, message) => {
  expect(() => validateField(limit, text, "limit")).toThrow(message);
});

it("the error for a number of a body that is too large", () => {
  const body: unknown = JSON.parse('{"n":1e999}');
  expect(() => validate(z.object({ n: z.number() }), body)).toThrow(
    "'n': expected a number, but got one that",
  );
});
