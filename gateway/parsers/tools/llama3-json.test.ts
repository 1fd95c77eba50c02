import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, withTools } from "../parsers.suite.ts";
import { llama3Json } from "./llama3-json.ts";

const lookalikes = [
  '{"name": "undeclared", "parameters": {}}',
  '{"name": "now"}',
  "[1, 2]",
  "<|python_tag|>import os",
  "<function=now> begins a call.",
];

describe("without a marker", () => {
  describeToolFormat({
    format: llama3Json,
    write: (calls) =>
      calls
        .map(({ name, arguments: parameters }) => JSON.stringify({ type: "function", name, parameters }))
        .join("; "),
    allowsTextBefore: false,
    lookalikes,
  });
});

describe("with a marker", () => {
  describeToolFormat({
    format: llama3Json,
    write: (calls) =>
      calls
        .map(({ name, arguments: parameters }) => `<|python_tag|>${JSON.stringify({ name, parameters })}`)
        .join(""),
    lookalikes,
  });
});

describe("the llama3-json parser", () => {
  test.each([
    ["a tool of Llama's own", '<|python_tag|>brave_search.call(query="rain")', "brave_search"],
    ["a custom tag", 'So: <function=web.search-2>{"query":"rain"}</function>', "web.search-2"],
  ])("reads %s", (_, text, name) => {
    expect(parseAnyhow(withTools(llama3Json), text).calls).toEqual([{ name, arguments: '{"query":"rain"}' }]);
  });
});
