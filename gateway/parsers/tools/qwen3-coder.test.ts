import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { qwen3Coder } from "./qwen3-coder.ts";

const written = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
const write = ({ name, arguments: given }: WrittenCall) => {
  const parameters = Object.entries(given).map(
    ([key, value]) => `<parameter=${key}>\n${written(value)}\n</parameter>\n`,
  );
  return `<tool_call>\n<function=${name}>\n${parameters.join("")}</function>\n</tool_call>`;
};

describeToolFormat({
  format: qwen3Coder,
  write: (calls) => calls.map(write).join("\n"),
  lookalikes: [
    "<tool_call>\n<function",
    "A <tool_call> begins a call.",
    '<tool_call>{"name": "now"}</tool_call>',
    "<function=undeclared>\n</function>",
    "<tool_call><function=no name></function></tool_call>",
  ],
});

describe("the qwen3-coder parser", () => {
  const read = (text: string) => parseAnyhow(withTools(qwen3Coder), text);
  const readArguments = (parameters: string) => {
    const { calls, text } = read(
      `<tool_call>\n<function=get_weather>\n${parameters}</function>\n</tool_call>`,
    );
    expect(text).toBe("");
    expect(calls).toHaveLength(1);
    expect(calls[0]!.isBroken).toBeUndefined();
    return calls[0]!.arguments;
  };

  test.each([
    ["the tag around the call is missing", "<function=now>\n</function>"],
    ["only its end is there", "<function=now>\n</function>\n</tool_call>"],
    ["the end of the tag is missing", "<tool_call>\n<function=now>\n</function>"],
  ])("reads a call if %s", (_, text) => {
    expect(read(text)).toEqual({ text: "", reasoning: "", calls: [{ name: "now", arguments: "{}" }] });
  });

  test("reads several calls within one tag", () => {
    const { calls } = read("<tool_call><function=now></function><function=now></function></tool_call>");
    expect(calls).toHaveLength(2);
  });

  test("keeps the line ends of a value", () => {
    expect(readArguments("<parameter=city>\n\n a\nb \n\n</parameter>")).toBe('{"city":"\\n a\\nb \\n"}');
  });

  test("takes a value for what the schema says", () => {
    expect(
      readArguments(
        "<parameter=city>\n42\n</parameter>\n<parameter=days>\n42\n</parameter>\n<parameter=metric>\nTrue\n</parameter>",
      ),
    ).toBe('{"city":"42","days":42,"metric":true}');
  });

  test("passes on a value that breaks off", () => {
    const text = "<tool_call><function=get_weather><parameter=where>\n{'lat': 1";
    expect(read(text).calls).toEqual([
      { name: "get_weather", arguments: "{\"where\":{'lat': 1", isBroken: true },
    ]);
  });
});
