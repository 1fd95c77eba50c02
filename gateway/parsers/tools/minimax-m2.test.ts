import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { minimaxM2 } from "./minimax-m2.ts";

const write = ({ name, arguments: given }: WrittenCall) => {
  const parameters = Object.entries(given).map(
    ([key, value]) =>
      `<parameter name="${key}">${typeof value === "string" ? value : JSON.stringify(value)}</parameter>\n`,
  );
  return `<invoke name="${name}">\n${parameters.join("")}</invoke>\n`;
};

describeToolFormat({
  format: minimaxM2,
  write: (calls) => `<minimax:tool_call>\n${calls.map(write).join("")}</minimax:tool_call>`,
  lookalikes: ["<minimax:tool_call", "A <minimax:tool_call> begins calls.", '<invoke name="now"></invoke>'],
});

describe("the minimax-m2 parser", () => {
  test("takes a value for what the schema says", () => {
    const text = `<minimax:tool_call><invoke name="get_weather"><parameter name="city">42</parameter><parameter name="where">{"lat": 1.50}</parameter></invoke></minimax:tool_call>`;
    expect(parseAnyhow(withTools(minimaxM2), text).calls).toEqual([
      { name: "get_weather", arguments: '{"city":"42","where":{"lat": 1.50}}' },
    ]);
  });
});
