import { readInvokes } from "../reading/invoke.ts";
import type { ToolFormat } from "../types.ts";

const BEGIN = "<minimax:tool_call>";
const END = "</minimax:tool_call>";

/**
 * `<minimax:tool_call><invoke name="f"><parameter name="k">v</parameter></invoke></minimax:tool_call>`.
 * Source: https://huggingface.co/MiniMaxAI/MiniMax-M2/blob/main/docs/tool_calling_guide.md
 */
export const minimaxM2: ToolFormat = {
  name: "minimax-m2",
  matches: ({ template, model }) => template.includes(BEGIN) || /minimax-?m2/.test(model),
  begins: [BEGIN],
  ends: ["</invoke>", END],
  controls: [BEGIN, END],
  *read(reader, calls, { tools }) {
    yield* reader.skipSpace();
    yield* reader.expect('<invoke name="');
    yield* readInvokes(reader, calls, tools);
    yield* reader.tryText(END);
  },
};
