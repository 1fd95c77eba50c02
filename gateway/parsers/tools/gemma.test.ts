import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { gemma } from "./gemma.ts";

/** A value as Gemma writes it. */
function gemmaOf(value: unknown, delimiter: string): string {
  if (typeof value === "string") return delimiter + value + delimiter;
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map((each) => gemmaOf(each, delimiter)).join(",")}]`;
  if (typeof value !== "object") return String(value);
  const members = Object.entries(value).map(
    ([key, each]) => `${gemmaOf(key, delimiter)}:${gemmaOf(each, delimiter)}`,
  );
  return `{${members.join(",")}}`;
}

const write = ({ name, arguments: given }: WrittenCall, delimiter: string) => {
  const members = Object.entries(given).map(([key, value]) => `${key}:${gemmaOf(value, delimiter)}`);
  return `call:${name}{${members.join(",")}}`;
};

describe("Gemma 4", () => {
  describeToolFormat({
    format: gemma,
    write: (calls) => calls.map((call) => `<|tool_call>${write(call, '<|"|>')}<tool_call|>`).join(""),
    lookalikes: [
      "<|tool_call",
      "<|tool_call>call:now",
      "call:now{}",
      "[1, 2]",
      "[now]",
      "```tool_code\nx = 1\n```",
    ],
  });
});

describe("FunctionGemma", () => {
  describeToolFormat({
    format: gemma,
    write: (calls) =>
      calls.map((call) => `<start_function_call>${write(call, "<escape>")}<end_function_call>`).join(""),
    lookalikes: ["<start_function_call", "<start_function_call>now{}"],
  });
});

describe("the gemma parser", () => {
  const read = (text: string) => parseAnyhow(withTools(gemma), text);

  test.each([
    ["quotes as in JSON", 'tags:["a","b"],map:{"c": "d"}', { tags: ["a", "b"], map: { c: "d" } }],
    ["quotes as in Python", "tags:['a'],x:'it'", { tags: ["a"], x: "it" }],
    ["equals signs", 'code:<|"|>"""\na = 1\n<|"|>,tags=["a"]', { code: '"""\na = 1\n', tags: ["a"] }],
    ["no first delimiter", 'query:Paris, France<|"|>,limit:5', { query: "Paris, France", limit: 5 }],
    ["no second delimiter", 'a:<|"|>code }],path:<|"|>b.txt<|"|>', { a: "code }]", path: "b.txt" }],
    ["a string that ends like a key", 'a:<|"|>x,path:<|"|>,b:1', { a: "x,path:", b: 1 }],
    [
      "no delimiters",
      "city:New York,tags:[red, blue],n:3 days",
      {
        city: "New York",
        tags: ["red", "blue"],
        n: "3 days",
      },
    ],
    ["blanks", " a : 1 , b : [ true , null ] ", { a: 1, b: [true, null] }],
  ])("reads arguments with %s", (_, written, expected) => {
    const { calls, text } = read(`<|tool_call>call:f{${written}}<tool_call|>`);
    expect(text).toBe("");
    expect(calls.map((call) => [call.isBroken, JSON.parse(call.arguments)])).toEqual([[undefined, expected]]);
  });

  test("reads arguments in parentheses", () => {
    const { calls } = read(
      '<|tool_call>call:f(a=<|"|>x (y)<|"|>, b={c: 1}, )<tool_call|><|tool_call>call:g()<tool_call|>',
    );
    expect(calls).toEqual([
      { name: "f", arguments: '{"a":"x (y)","b":{"c":1}}' },
      { name: "g", arguments: "{}" },
    ]);
  });

  test.each([
    ["a list", '[now(), web.search-2(query="rain")]'],
    ["JSON", '[{"name": "now", "parameters": {}}, {"name": "web.search-2", "parameters": {"query":"rain"}}]'],
    ["a block of code", '```tool_code\nnow(); web.search-2(query="rain")\n```'],
    ["printed code", '```tool_code\nprint(now(), web.search-2(query="rain"))\n```'],
  ])("reads the calls of Gemma 3 in %s", (_, text) => {
    expect(read(text)).toEqual({
      text: "",
      reasoning: "",
      calls: [
        { name: "now", arguments: "{}" },
        { name: "web.search-2", arguments: '{"query":"rain"}' },
      ],
    });
  });
});
