import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, withTools } from "../parsers.suite.ts";
import { kimiK2 } from "./kimi-k2.ts";

describeToolFormat({
  format: kimiK2,
  write: (calls) => {
    const written = calls.map(
      ({ name, arguments: given }, index) =>
        `<|tool_call_begin|>functions.${name}:${index}<|tool_call_argument_begin|>${JSON.stringify(given)}<|tool_call_end|>`,
    );
    return `<|tool_calls_section_begin|>${written.join("")}<|tool_calls_section_end|>`;
  },
  lookalikes: [
    "<|tool_calls_section_begin",
    "A <|tool_calls_section_begin|> begins calls.",
    "<|tool_calls_section_begin|><|tool_calls_section_end|>",
    "<|tool_call_begin|>functions.now:0",
  ],
});

describe("the kimi-k2 parser", () => {
  test.each([
    ["functions.now:0", "now", "functions.now:0"],
    ["now:12", "now", "now:12"],
    ["functions.now", "now", undefined],
    [" functions.a:b:3 ", "a:b", "functions.a:b:3"],
  ])("finds name and ID in %j", (written, name, id) => {
    const text = `<|tool_call_begin|>${written}<|tool_call_argument_begin|><|tool_call_end|>`;
    expect(parseAnyhow(withTools(kimiK2), text).calls).toEqual([
      { name, arguments: "{}", ...(id && { id }) },
    ]);
  });
});
