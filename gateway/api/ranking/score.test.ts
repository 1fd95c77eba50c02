import { expect, test } from "vitest";
import { textsOf } from "./score.ts";

test.each([
  [{ text_1: "a", text_2: ["b", "c"] }, "text_1", "text_2"],
  [{ data_1: ["a"], data_2: ["b", "c"] }, "data_1", "data_2"],
  [{ queries: ["a", "b"], documents: ["c", "d"] }, "queries", "documents"],
  [{ queries: "a", items: "b", text_1: null }, "queries", "items"],
])("%j are texts to compare", (body, first, second) => {
  expect(textsOf(body).map(({ name }) => name)).toEqual([first, second]);
});

test.each([
  [{}, "text_1", "Missing"],
  [{ text_1: "a" }, "text_2", "Missing"],
  [{ text_2: "a" }, "text_1", "Missing"],
  [{ data_2: "a" }, "data_1", "Missing"],
  [{ items: "a" }, "queries", "Missing"],
  [{ queries: "a" }, "documents", "Missing"],
  [{ text_1: "a", data_2: "b" }, "text_2", "Missing"],
  [{ text_1: "a", text_2: "b", items: "c" }, "items", "one too many"],
  [{ queries: "a", documents: "b", items: "c" }, "items", "one too many"],
  [{ text_1: ["a", "b"], text_2: ["c", "d", "e"] }, "text_2", "2 texts, but 'text_2' has 3"],
  [{ data_1: ["a", "b"], data_2: "c" }, "data_2", "2 texts, but 'data_2' has 1"],
])("%j are refused", (body, param, words) => {
  expect(() => textsOf(body)).toThrow(
    expect.objectContaining({ status: 400, param, message: expect.stringContaining(words) }),
  );
});
