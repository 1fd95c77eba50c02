import { gemmaDialect, readParenthesised } from "../reading/gemma.ts";
import { readLiteral } from "../reading/literal.ts";
import { functionName } from "../reading/names.ts";
import { readPythonCalls } from "../reading/python.ts";
import { Nonsense } from "../reading/text-reader.ts";
import type { ToolFormat } from "../types.ts";
import { json } from "./json.ts";

const CODE = "```tool_code";
const JSON_OPENS = ["{", "```json"];
/** For each text that begins a call, what ends it, and what is around its strings. */
const TAGS = new Map([
  ["<|tool_call>", { end: "<tool_call|>", dialect: gemmaDialect('<|"|>') }],
  ["<start_function_call>", { end: "<end_function_call>", dialect: gemmaDialect("<escape>") }],
]);
const ENDS = [...TAGS.values()].map(({ end }) => end);

/**
 * `<|tool_call>call:f{k:<|"|>v<|"|>}<tool_call|>`: Gemma 4; FunctionGemma with other tags. Gemma 3 has no format of its
 * own, and writes what it is asked for: `[f(k="v")]`, JSON, or a block of `tool_code`.
 * Source: https://ai.google.dev/gemma/docs/core/prompt-formatting-gemma4 and
 * https://ai.google.dev/gemma/docs/capabilities/function-calling
 */
export const gemma: ToolFormat = {
  name: "gemma",
  matches: ({ template, model }) =>
    [...TAGS.keys()].some((begin) => template.includes(begin)) || /gemma-?[34]/.test(model),
  begins: [...TAGS.keys(), CODE],
  opens: ["[", ...JSON_OPENS],
  ends: ENDS,
  controls: [...TAGS.keys(), ...ENDS, '<|"|>', "<escape>"],
  *read(reader, calls, context) {
    const { tools, begin } = context;
    const isList = begin === "[" && (yield* reader.following(["{"], 1));
    if (isList || JSON_OPENS.includes(begin)) {
      yield* json.read(reader, calls, context);
      return;
    }
    yield* reader.skipSpace();
    const tag = TAGS.get(begin);
    if (tag === undefined) {
      // It may print what the function returns.
      const isPrinted = begin === CODE && (yield* reader.tryText("print("));
      yield* readPythonCalls(reader, calls, { tools, others: false });
      yield* reader.skipSpace();
      if (isPrinted) yield* reader.tryText(")");
      yield* reader.skipSpace();
      if (begin === CODE) yield* reader.tryText("```");
      return;
    }
    yield* reader.expect("call:");
    const name = functionName(yield* reader.while(/[^{(<]/));
    const first = yield* reader.peek();
    if (first !== "{" && first !== "(") throw new Nonsense("Expected arguments.");
    calls.begin(name);
    const write = (json: string) => calls.arguments(json);
    if (first === "{") yield* readLiteral(reader, write, tag.dialect);
    else yield* readParenthesised(reader, write, tag.dialect);
    calls.end();
    yield* reader.skipSpace();
    yield* reader.tryText(tag.end);
  },
};
