import { describe, expect, test } from "vitest";
import { describeReasoningFormat, parseAnyhow } from "../parsers.suite.ts";
import { graniteReasoning } from "./granite.ts";

describe("Granite 3.2", () => {
  describeReasoningFormat({
    format: graniteReasoning,
    write: (reasoning, text, isInside) =>
      `${isInside ? "" : "Here is my thought process:\n"}${reasoning}\n\nHere is my response:\n${text}`,
    inside: ["<|end_of_role|>Here is my thought process:"],
    outside: ["<|start_of_role|>assistant<|end_of_role|>"],
  });
});

describe("Granite 3.3", () => {
  describeReasoningFormat({
    format: graniteReasoning,
    write: (reasoning, text, isInside) =>
      `${isInside ? "" : "<think>"}${reasoning}</think>\n<response>${text}</response>`,
    inside: [],
    outside: ["<|start_of_role|>assistant<|end_of_role|>"],
  });

  test("need not end its answer", () => {
    const text = "<think>a</think><response> b ";
    expect(parseAnyhow({ reasoning: graniteReasoning }, text)).toEqual({
      text: "b ",
      reasoning: "a",
      calls: [],
    });
  });
});
