import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { glm45 } from "./glm-4.5.ts";

const writeWith =
  (space: string) =>
  ({ name, arguments: given }: WrittenCall) => {
    const parts = Object.entries(given).map(
      ([key, value]) =>
        `<arg_key>${key}</arg_key>${space}<arg_value>${typeof value === "string" ? value : JSON.stringify(value)}</arg_value>${space}`,
    );
    return `<tool_call>${name}${space}${parts.join("")}</tool_call>`;
  };

describe.each([
  ["4.5", "\n"],
  ["4.7", ""],
])("of GLM %s", (_, space) => {
  describeToolFormat({
    format: glm45,
    write: (calls) => calls.map(writeWith(space)).join(space),
    lookalikes: [
      "<tool_call",
      "A <tool_call> begins a call.",
      '<tool_call>{"name": "now"}</tool_call>',
      "<tool_call>now",
    ],
  });
});

describe("the glm-4.5 parser", () => {
  const read = (text: string) => parseAnyhow(withTools(glm45), text).calls;

  test("reads a value whose tag is missing, with all its blanks", () => {
    const text = "<tool_call>web.search-2<arg_key>query</arg_key> rain\n</arg_value></tool_call>";
    expect(read(text)).toEqual([{ name: "web.search-2", arguments: '{"query":" rain\\n"}' }]);
  });

  test("keeps the tag that ends a value if it is within the value", () => {
    const text =
      "<tool_call>web.search-2<arg_key>query</arg_key><arg_value></arg_value> is a tag</arg_value></tool_call>";
    expect(read(text)).toEqual([{ name: "web.search-2", arguments: '{"query":"</arg_value> is a tag"}' }]);
  });
});
