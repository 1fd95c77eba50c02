import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, withTools } from "../parsers.suite.ts";
import { hermes } from "./hermes.ts";

describeToolFormat({
  format: hermes,
  write: (calls) => calls.map((call) => `<tool_call>\n${JSON.stringify(call)}\n</tool_call>`).join("\n"),
  lookalikes: [
    "<tool_call",
    "A <tool_call> begins a call.",
    '<tool_call>{"no": "name"}</tool_call>',
    "<tool_calls>",
  ],
});

describe("the hermes parser", () => {
  const read = (text: string) => parseAnyhow(withTools(hermes), text);

  test.each([
    ["the last brace is missing", '<tool_call>\n{"name": "now", "arguments": {}\n</tool_call>'],
    ["there is a brace too many", '<tool_call>{"name": "now", "arguments": {}}}</tool_call>'],
    ["the end is missing", '<tool_call>{"name": "now", "arguments": {}}'],
    ["the arguments come first", '<tool_call>{"arguments": {}, "name": "now"}</tool_call>'],
    ["there are no arguments", '<tool_call>{"name": "now"}</tool_call>'],
    ["the arguments are null", '<tool_call>{"name": "now", "arguments": null}</tool_call>'],
    ["the arguments are text", '<tool_call>{"name": "now", "arguments": "{}"}</tool_call>'],
    ["the arguments are parameters", '<tool_call>{"name": "now", "parameters": {}}</tool_call>'],
  ])("reads a call if %s", (_, text) => {
    expect(read(text)).toEqual({ text: "", reasoning: "", calls: [{ name: "now", arguments: "{}" }] });
  });

  test("reads several calls within one tag", () => {
    const call = '{"name": "now", "arguments": {}}';
    for (const text of [`${call}\n${call}`, `[${call}, ${call}]`])
      expect(read(`<tool_call>\n${text}\n</tool_call>`)).toEqual({
        text: "",
        reasoning: "",
        calls: [
          { name: "now", arguments: "{}" },
          { name: "now", arguments: "{}" },
        ],
      });
  });

  test("ends a malformed call where the next one begins", () => {
    const { calls, text } = read(
      '<tool_call>{"name": "f", "arguments": {"a": oops} <tool_call>{"name": "now", "arguments": {}}</tool_call>',
    );
    expect(calls).toEqual([
      { name: "f", arguments: '{"a": oops} ', isBroken: true },
      { name: "now", arguments: "{}" },
    ]);
    expect(text).toBe("");
  });

  test("drops what ends a call if something else is before it", () => {
    const { calls, text } = read('<tool_call>{"name": "now", "arguments": {}} is it </tool_call> So.');
    expect(calls).toEqual([{ name: "now", arguments: "{}" }]);
    expect(text).toBe("is itSo.");
  });

  test("passes on malformed arguments as they are", () => {
    const { calls, text } = read('<tool_call>{"name": "f", "arguments": {"a": oops}}</tool_call> So.');
    expect(calls).toEqual([{ name: "f", arguments: '{"a": oops}}', isBroken: true }]);
    expect(text).toBe("So.");
  });

  test("corrects line ends and backslashes in strings", () => {
    const { calls } = read(
      '<tool_call>{"name": "f", "arguments": {"a": "1\n\\d\\\'\\u00e9\\u1"}}</tool_call>',
    );
    expect(JSON.parse(calls[0]!.arguments)).toEqual({ a: "1\n\\d'é\\u1" });
  });
});
