import { functionName } from "../reading/names.ts";
import { readTaggedCall, type TagSyntax } from "../reading/tagged-call.ts";
import type { ToolFormat } from "../types.ts";

const PREFIX = "｜DSML｜";
const BEGINS = [`<${PREFIX}function_calls>`, `<${PREFIX}tool_calls>`];
const ENDS = [`</${PREFIX}function_calls>`, `</${PREFIX}tool_calls>`];
const SYNTAX: TagSyntax = {
  begin: `<${PREFIX}invoke name="`,
  nameEnd: '">',
  end: `</${PREFIX}invoke>`,
  argument: `<${PREFIX}parameter name="`,
  argumentEnd: `</${PREFIX}`,
  after: ENDS,
  isUnmistakable: true,
};

/**
 * `<｜DSML｜function_calls><｜DSML｜invoke name="f"><｜DSML｜parameter name="k" string="true">v</｜DSML｜parameter>…`, in V4
 * with `tool_calls`; values that are not strings are JSON.
 * Source: https://huggingface.co/deepseek-ai/DeepSeek-V3.2/tree/main/encoding
 */
export const deepseekV32: ToolFormat = {
  name: "deepseek-v3.2",
  matches: ({ template, model }) => template.includes("DSML") || /deepseek-?v(?:3\.2|4)/.test(model),
  begins: [...BEGINS, SYNTAX.begin],
  ends: [SYNTAX.end, ...ENDS],
  // The prefix alone is a token. The ends never appear elsewhere.
  controls: [PREFIX, SYNTAX.end, ...ENDS],
  *read(reader, calls, { tools, begin }) {
    yield* reader.skipSpace();
    if (begin !== SYNTAX.begin) yield* reader.expect(SYNTAX.begin);
    do {
      const name = functionName((yield* reader.textPast([SYNTAX.nameEnd])).text);
      yield* readTaggedCall(reader, calls, tools, name, SYNTAX);
      yield* reader.skipSpace();
    } while (yield* reader.tryText(SYNTAX.begin));
    for (const end of ENDS) yield* reader.tryText(end);
  },
};
