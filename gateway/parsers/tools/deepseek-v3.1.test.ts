import { describe, expect, test } from "vitest";
import { describeToolFormat, parseAnyhow, type WrittenCall, withTools } from "../parsers.suite.ts";
import { deepseekV31 } from "./deepseek-v3.1.ts";

const write = ({ name, arguments: given }: WrittenCall) =>
  `<｜tool▁call▁begin｜>${name}<｜tool▁sep｜>${JSON.stringify(given)}<｜tool▁call▁end｜>`;

describeToolFormat({
  format: deepseekV31,
  write: (calls) => `<｜tool▁calls▁begin｜>${calls.map(write).join("")}<｜tool▁calls▁end｜>`,
  lookalikes: ["<｜tool▁calls▁begin｜>", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>"],
});

describe("the deepseek-v3.1 parser", () => {
  const read = (text: string) => parseAnyhow(withTools(deepseekV31), text);

  test("reads a call without arguments", () => {
    const text = "<｜tool▁call▁begin｜>now<｜tool▁sep｜><｜tool▁call▁end｜>";
    expect(read(text).calls).toEqual([{ name: "now", arguments: "{}" }]);
  });

  test("goes on with the call after a malformed one", () => {
    const text = `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{"a": oops}<｜tool▁call▁end｜>${write(
      {
        name: "now",
        arguments: {},
      },
    )}<｜tool▁calls▁end｜> So.`;
    expect(read(text)).toEqual({
      text: "So.",
      reasoning: "",
      calls: [
        { name: "now", arguments: '{"a": oops}', isBroken: true },
        { name: "now", arguments: "{}" },
      ],
    });
  });
});
