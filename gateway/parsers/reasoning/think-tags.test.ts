import { describe, expect, test } from "vitest";
import { parseAnyhow, withTools } from "../parsers.suite.ts";
import { hermes } from "../tools/hermes.ts";
import { kimiK2 } from "../tools/kimi-k2.ts";
import { kimiK2Reasoning } from "./kimi-k2.ts";
import { qwen3 } from "./qwen3.ts";

const SECTION =
  "<|tool_calls_section_begin|><|tool_call_begin|>functions.now:0<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>";
const NOW = { name: "now", arguments: "{}", id: "functions.now:0" };

describe("calls within reasoning", () => {
  const kimi = { ...withTools(kimiK2), reasoning: kimiK2Reasoning };
  const qwen = { ...withTools(hermes), reasoning: qwen3 };

  test.each([
    ["that has no end", ""],
    ["that ends after them", "</think>"],
  ])("end reasoning %s", (_, end) => {
    expect(parseAnyhow(kimi, `<think>I look. ${SECTION}${end}`)).toEqual({
      text: "",
      reasoning: "I look.",
      calls: [NOW],
    });
  });

  test("are part of it if they are none, or if there are no tools", () => {
    const thought = "I could write <tool_call>, with its {name}. <tool_call>";
    const answer = { text: "Yes.", reasoning: thought, calls: [] };
    expect(parseAnyhow(qwen, `<think>${thought}</think>Yes.`)).toEqual(answer);
    expect(parseAnyhow({ reasoning: kimiK2Reasoning }, `<think>${SECTION}</think>Yes.`)).toEqual({
      text: "Yes.",
      reasoning: SECTION,
      calls: [],
    });
  });
});
