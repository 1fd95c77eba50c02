import { describe } from "vitest";
import { describeToolFormat } from "../parsers.suite.ts";
import { phi4 } from "./phi-4.ts";

const lookalikes = [
  "<|tool_call|",
  "A <|tool_call|> begins calls.",
  "functools[0] is no call.",
  "functools.wraps",
];

describe("Phi-4-mini", () => {
  describeToolFormat({
    format: phi4,
    write: (calls) => `<|tool_call|>${JSON.stringify(calls)}<|/tool_call|>`,
    lookalikes,
  });
});

describe("Phi-4", () => {
  describeToolFormat({
    format: phi4,
    write: (calls) => `functools${JSON.stringify(calls)}`,
    lookalikes,
  });
});
