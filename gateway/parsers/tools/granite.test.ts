import { describe } from "vitest";
import { describeToolFormat } from "../parsers.suite.ts";
import { granite } from "./granite.ts";

const lookalikes = [
  "<|tool_call|",
  "A <tool_call> begins calls.",
  "<|tool_call|>[1]",
  "<tool_call>[]</tool_call>",
];

describe.each(["<|tool_call|>", "<tool_call>"])("Granite 3 with %s", (begin) => {
  describeToolFormat({ format: granite, write: (calls) => begin + JSON.stringify(calls), lookalikes });
});

describe("Granite 4", () => {
  describeToolFormat({
    format: granite,
    write: (calls) => calls.map((call) => `<tool_call>\n${JSON.stringify(call)}\n</tool_call>`).join("\n"),
    lookalikes,
  });
});
