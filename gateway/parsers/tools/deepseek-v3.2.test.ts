import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { deepseekV32 } from "./deepseek-v3.2.ts";

const write = ({ name, arguments: given }: WrittenCall) => {
  const parameters = Object.entries(given).map(([key, value]) => {
    const isString = typeof value === "string";
    return `<｜DSML｜parameter name="${key}" string="${isString}">${isString ? value : JSON.stringify(value)}</｜DSML｜parameter>\n`;
  });
  return `<｜DSML｜invoke name="${name}">\n${parameters.join("")}</｜DSML｜invoke>\n`;
};

describe.each(["function_calls", "tool_calls"])("in %s", (tag) => {
  describeToolFormat({
    format: deepseekV32,
    write: (calls) => `<｜DSML｜${tag}>\n${calls.map(write).join("")}</｜DSML｜${tag}>`,
    lookalikes: [
      `<｜DSML｜${tag}`,
      `A <｜DSML｜${tag}> begins calls.`,
      `<｜DSML｜${tag}><｜DSML｜invoke name="now`,
    ],
  });
});

describe("the deepseek-v3.2 parser", () => {
  const read = (parameter: string) =>
    parseAnyhow(
      withTools(deepseekV32),
      `<｜DSML｜invoke name="get_weather">${parameter}</｜DSML｜invoke>`,
    ).calls.map(({ arguments: json }) => json);

  test("believes the model that a value is a string, or is not", () => {
    expect(read('<｜DSML｜parameter name="days" string="true">3</｜DSML｜parameter>')).toEqual([
      '{"days":"3"}',
    ]);
    expect(read('<｜DSML｜parameter name="city" string="false">3</｜DSML｜parameter>')).toEqual([
      '{"city":3}',
    ]);
    expect(read('<｜DSML｜parameter name="city">3</｜DSML｜parameter>')).toEqual(['{"city":"3"}']);
  });

  test("keeps the tag that ends a value if it is within the value", () => {
    expect(read('<｜DSML｜parameter name="city">a</｜DSML｜parameter>b</｜DSML｜parameter>')).toEqual([
      '{"city":"a</｜DSML｜parameter>b"}',
    ]);
  });
});
