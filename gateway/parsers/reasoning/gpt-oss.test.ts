import { describe, expect, test } from "vitest";
import { describeReasoningFormat, parseAnyhow, withTools } from "../parsers.suite.ts";
import { harmony } from "../tools/harmony.ts";
import { gptOss } from "./gpt-oss.ts";

describeReasoningFormat({
  format: gptOss,
  write: (reasoning, text, isInside) =>
    `${isInside ? "" : "<|channel|>analysis<|message|>"}${reasoning}<|end|><|start|>assistant<|channel|>final<|message|>${text}<|return|>`,
  inside: ["<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>analysis<|message|>So far"],
  outside: [
    "<|start|>assistant",
    "<|channel|>analysis<|message|>Thought.<|end|><|start|>assistant",
    "<|start|>assistant<|channel|>final<|message|>",
  ],
});

const CALL = '<|channel|>commentary to=functions.now <|constrain|>json<|message|>{"a": 1}';

describe("the gpt-oss parser of reasoning", () => {
  test("takes a message to the user in commentary for text", () => {
    const text = `<|channel|>analysis<|message|>I look.<|end|><|start|>assistant<|channel|>commentary<|message|>Wait.<|end|><|start|>assistant${CALL}<|call|>`;
    expect(parseAnyhow({ ...withTools(harmony), reasoning: gptOss }, text)).toEqual({
      text: "Wait.",
      reasoning: "I look.",
      calls: [{ name: "now", arguments: '{"a": 1}' }],
    });
  });

  test("takes a call for text if there are no tools", () => {
    expect(parseAnyhow({ reasoning: gptOss }, `${CALL}<|call|>`)).toEqual({
      text: '{"a": 1}',
      reasoning: "",
      calls: [],
    });
  });

  test.each([
    ["a header without a message", "<|channel|>?? <|end|><|start|>assistant<|channel|>final<|message|>Yes."],
    ["a double header", "<|channel|>commentary to=assistant<|channel|>final<|message|>Yes."],
    ["a format", "<|channel|>final <|constrain|>json<|message|>Yes."],
    ["no end before the next message", "<|channel|>analysis<|message|><|channel|>final<|message|>Yes."],
    ["a header that is the answer", "<|channel|>Yes. It is so."],
  ])("drops %s", (_, text) => {
    const { text: said, reasoning } = parseAnyhow({ reasoning: gptOss }, text);
    expect(reasoning).toBe("");
    expect(said).toMatch(/^Yes\./);
  });
});
