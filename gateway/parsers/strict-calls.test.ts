import { describe, expect, test } from "vitest";
import { writtenCallsGrammar } from "../grammars/index.ts";
import { ReferenceGrammar } from "../grammars/reference-gbnf.ts";
import { bothOf, randomOf } from "../grammars/test-oracle.ts";
import { TOOL_FORMATS } from "./formats.ts";
import { parse, WEATHER } from "./parsers.suite.ts";
import type { ToolFunction } from "./types.ts";

const NOTHING: ToolFunction = { name: "do-nothing", parameters: { type: "object", properties: {} } };
const TEXT: ToolFunction = {
  name: "note",
  parameters: {
    type: "object",
    properties: {
      text: { type: "string", maxLength: 12 },
      tags: { type: "array", items: { enum: ["<", "}]"] } },
    },
    required: ["text"],
  },
};
const TOOLS = [WEATHER, NOTHING, TEXT];
const tools = new Map(TOOLS.map((tool) => [tool.name, tool]));
const validators = new Map(
  TOOLS.map(({ name, parameters }) => [name, bothOf(parameters as object).validate]),
);

const formats = Object.values(TOOL_FORMATS).flatMap((format) =>
  format.syntax === undefined ? [] : [[format.name, format, format.syntax] as const],
);

describe.each(formats)("strict calls in the format %s", (_, format, syntax) => {
  /** What clients get of random calls in this grammar. */
  const answers = (parallel: boolean, begin: string, count: number) => {
    const grammar = new ReferenceGrammar(writtenCallsGrammar(TOOLS, syntax, { parallel }));
    const random = randomOf(1);
    return Array.from({ length: count }, () =>
      parse({ calls: { format, tools }, reasoning: undefined }, [begin, ...grammar.sentence(random)]),
    );
  };

  test.each(syntax.begins)("after %s match their schemas, and are read as they are written", (begin) => {
    for (const { calls, text } of answers(true, begin, 60)) {
      expect(text.trim()).toBe("");
      expect(calls.length).toBeGreaterThan(0);
      for (const { name, arguments: json, isBroken } of calls) {
        expect([name, isBroken]).toEqual([expect.any(String), undefined]);
        expect([json, validators.get(name)?.(JSON.parse(json))]).toEqual([json, true]);
      }
    }
  });

  test("is one call if only one may be made", () => {
    for (const { calls } of answers(false, syntax.begins[0]!, 20)) expect(calls).toHaveLength(1);
  });
});
