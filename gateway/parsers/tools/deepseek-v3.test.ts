import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { deepseekV3 } from "./deepseek-v3.ts";

const write = ({ name, arguments: given }: WrittenCall) =>
  `<｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n${JSON.stringify(given)}\n\`\`\`<｜tool▁call▁end｜>`;

describeToolFormat({
  format: deepseekV3,
  write: (calls) => `<｜tool▁calls▁begin｜>${calls.map(write).join("\n")}<｜tool▁calls▁end｜>`,
  lookalikes: [
    "<｜tool▁calls▁begin",
    "A <｜tool▁calls▁begin｜> begins calls.",
    "<｜tool▁call▁begin｜>function",
  ],
});

describe("the deepseek-v3 parser", () => {
  test("reads calls outside a section, and those without arguments", () => {
    const text = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n<｜tool▁call▁end｜>";
    expect(parseAnyhow(withTools(deepseekV3), text).calls).toEqual([{ name: "now", arguments: "{}" }]);
  });
});
