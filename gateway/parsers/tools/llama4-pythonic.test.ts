import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { llama4Pythonic } from "./llama4-pythonic.ts";

/** A value as Python writes it. */
export function pythonOf(value: unknown): string {
  if (typeof value === "string")
    return `'${value.replace(/[\\'\n\r\t]/g, (each) => JSON.stringify(each).replace("'", "\\'").slice(1, -1))}'`;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(", ")}]`;
  if (typeof value !== "object") return String(value);
  return `{${Object.entries(value).map(([key, each]) => `${pythonOf(key)}: ${pythonOf(each)}`)}}`;
}

const write = ({ name, arguments: given }: WrittenCall) =>
  `${name}(${Object.entries(given)
    .map(([key, value]) => `${key}=${pythonOf(value)}`)
    .join(", ")})`;

const lookalikes = [
  "[undeclared(a=1)]",
  "[now]",
  "[now(1)]",
  "[1, 2]",
  "now()",
  "<|python_start|>print(1)",
  "[",
  '{"name": "now"}',
];

describe("without a marker", () => {
  describeToolFormat({
    format: llama4Pythonic,
    write: (calls) => `[${calls.map(write).join(", ")}]`,
    allowsTextBefore: false,
    lookalikes,
  });
});

describe("with a marker", () => {
  describeToolFormat({
    format: llama4Pythonic,
    write: (calls) => `<|python_start|>[${calls.map(write).join(", ")}]<|python_end|>`,
    lookalikes,
  });
});

describe("the llama4-pythonic parser", () => {
  const read = (text: string) => parseAnyhow(withTools(llama4Pythonic), text);

  test.each([
    ["'''a\n'b\"'''", '"a\\n\'b\\""'],
    [String.raw`"\x41\u00e9\U0001F600\101\q\N{DASH}"`, '"Aé😀A\\\\q\\\\N{DASH}"'],
    ['"one " "two"', '"one two"'],
    ["(1, 2.)", "[1,2.0]"],
    ["(1)", "1"],
    ["()", "[]"],
    ["((1,), ('a' 'b'))", '[[1],"ab"]'],
    ["[1_000, -0x1F, .5, +1e3,]", "[1000,-31,0.5,1e3]"],
    ["{1: None, 'a': {'b': True}, }", '{"1":null,"a":{"b":true}}'],
    ["false", "false"],
  ])("reads the value %s", (python, json) => {
    expect(read(`[now(a=${python})]`).calls).toEqual([{ name: "now", arguments: `{"a":${json}}` }]);
  });

  test.each(["open('a')", "[1 2]", "1__0x", "'a", "{1}", "(".repeat(1_000)])("gives up at %s", (value) => {
    expect(read(`[now(a=${value}`).calls).toMatchObject([{ name: "now", isBroken: true }]);
  });

  test.each([
    ['get_weather("Paris")', '{"city":"Paris"}'],
    ["get_weather('Paris', 3)", '{"city":"Paris","days":3}'],
    ["get_weather('Paris', metric = True)", '{"city":"Paris","metric":true}'],
    ["get_weather(True)", '{"city":true}'],
  ])("names the arguments of %s by the function's parameters", (call, json) => {
    expect(read(`[${call}]`).calls).toEqual([{ name: "get_weather", arguments: json }]);
  });

  test("leaves a call with too many arguments as it is", () => {
    expect(read("[now(1)]")).toEqual({ text: "[now(1)]", reasoning: "", calls: [] });
  });

  test("reads JSON after the marker", () => {
    const { calls } = read('<|python_start|>{"name": "now", "parameters": {}}<|python_end|>');
    expect(calls).toEqual([{ name: "now", arguments: "{}" }]);
  });
});
