import { describe, expect, test } from "vitest";
import { REASONING_FORMATS, TOOL_FORMATS } from "./formats.ts";
import { parseAnyhow } from "./parsers.suite.ts";
import { CALLS_IN_JSON } from "./published/calls-in-json.ts";
import { CALLS_IN_TAGS } from "./published/calls-in-tags.ts";
import { CALLS_IN_TOKENS } from "./published/calls-in-tokens.ts";
import { TOOLS } from "./published/case.ts";
import { REASONING } from "./published/reasoning.ts";

describe("calls that other parsers got wrong", () => {
  test.each([...CALLS_IN_JSON, ...CALLS_IN_TAGS, ...CALLS_IN_TOKENS])(
    "$issue ($format): $text",
    ({ format, text, calls, said = "" }) => {
      const found = TOOL_FORMATS.find(({ name }) => name === format)!;
      const answer = parseAnyhow({ calls: { format: found, tools: TOOLS } }, text);
      expect(answer.calls.map((call) => call.isBroken)).toEqual(calls.map(() => undefined));
      expect(answer.calls.map((call) => [call.name, JSON.parse(call.arguments)])).toEqual(calls);
      expect(answer.text).toBe(said);
    },
  );
});

describe("reasoning that other parsers got wrong", () => {
  test.each(REASONING)("$issue ($format): $text", ({ format, prompt, text, ...expected }) => {
    const reasoning = REASONING_FORMATS.find(({ name }) => name === format)!;
    const [tool, ...names] = expected.calls ?? [];
    const found = TOOL_FORMATS.find(({ name }) => name === tool);
    const calls = found && { format: found, tools: TOOLS };
    const answer = parseAnyhow({ reasoning, calls }, text, reasoning.beginsInside(prompt));
    expect(answer.reasoning).toBe(expected.reasoning);
    expect(answer.text).toBe(expected.said ?? "");
    expect(answer.calls.map(({ name }) => name)).toEqual(names);
  });
});
