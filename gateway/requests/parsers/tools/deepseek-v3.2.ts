import { readInvokes } from "../reading/invoke.ts";
import type { ToolFormat } from "../types.ts";

const PREFIX = "｜DSML｜";
const INVOKE = `<${PREFIX}invoke name="`;

/**
 * `<｜DSML｜function_calls><｜DSML｜invoke name="f"><｜DSML｜parameter name="k" string="true">v</｜DSML｜parameter>…`, in V4
 * with `tool_calls`; values that are not strings are JSON.
 * Source: https://huggingface.co/deepseek-ai/DeepSeek-V3.2/tree/main/encoding
 */
export const deepseekV32: ToolFormat = {
  name: "deepseek-v3.2",
  matches: ({ template, model }) => template.includes("DSML") || /deepseek-?v(?:3\.2|4)/.test(model),
  begins: [`<${PREFIX}function_calls>`, `<${PREFIX}tool_calls>`, INVOKE],
  ends: [`</${PREFIX}invoke>`, `</${PREFIX}function_calls>`, `</${PREFIX}tool_calls>`],
  // The prefix alone is one token. The ends never appear elsewhere.
  controls: [PREFIX, `</${PREFIX}invoke>`, `</${PREFIX}function_calls>`, `</${PREFIX}tool_calls>`],
  *read(reader, calls, { tools, begin }) {
    yield* reader.skipSpace();
    if (begin !== INVOKE) yield* reader.expect(INVOKE);
    yield* readInvokes(reader, calls, tools, PREFIX);
    if (!(yield* reader.tryText(`</${PREFIX}function_calls>`)))
      yield* reader.tryText(`</${PREFIX}tool_calls>`);
  },
};
