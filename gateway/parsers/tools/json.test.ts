import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, withTools } from "../parsers.suite.ts";
import { json } from "./json.ts";

describeToolFormat({
  format: json,
  write: (calls) => JSON.stringify(calls),
  allowsTextBefore: false,
  lookalikes: [
    '{"name": "undeclared", "arguments": {}}',
    '{"name": "now"}',
    '{"name": "now", "age": 3, "arguments": {}}',
    '[{"city": "Paris"}]',
    "[1, 2, 3]",
    "[now](https://example.org)",
    'Text, and {"name": "now", "arguments": {}}',
    '```json\n{"a": 1}\n```',
    "[",
  ],
});

describe("the json parser", () => {
  test.each([
    ["one object", '{"name": "now", "arguments": {}}'],
    ["parameters", '[{"name": "now", "parameters": {}}]'],
    ["a block of code", '```json\n{"name": "now", "arguments": {}}\n```'],
    ["the arguments before the name", '{"arguments": {}, "name": "now"}'],
  ])("reads %s", (_, text) => {
    const calls = [{ name: "now", arguments: "{}" }];
    expect(parseAnyhow(withTools(json), text)).toEqual({ text: "", reasoning: "", calls });
  });

  test("keeps the calls of a list that turns into something else", () => {
    const { calls, text } = parseAnyhow(withTools(json), '[{"name": "now", "arguments": {}}, 2]');
    expect(calls).toEqual([{ name: "now", arguments: "{}" }]);
    expect(text).toBe(", 2]");
  });
});
