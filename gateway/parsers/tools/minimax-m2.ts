import { functionName } from "../reading/names.ts";
import { readTaggedCall, type TagSyntax } from "../reading/tagged-call.ts";
import type { ToolFormat } from "../types.ts";

const BEGIN = "<minimax:tool_call>";
const END = "</minimax:tool_call>";
const SYNTAX: TagSyntax = {
  begin: '<invoke name="',
  nameEnd: '">',
  end: "</invoke>",
  argument: '<parameter name="',
  argumentEnd: "</parameter",
  after: [END],
};

/**
 * `<minimax:tool_call><invoke name="f"><parameter name="k">v</parameter></invoke></minimax:tool_call>`.
 * Source: https://huggingface.co/MiniMaxAI/MiniMax-M2/blob/main/docs/tool_calling_guide.md
 */
export const minimaxM2: ToolFormat = {
  name: "minimax-m2",
  matches: ({ template, model }) => template.includes(BEGIN) || /minimax-?m2/.test(model),
  begins: [BEGIN],
  ends: [SYNTAX.end, END],
  controls: [BEGIN, END],
  *read(reader, calls, { tools }) {
    yield* reader.skipSpace();
    yield* reader.expect(SYNTAX.begin);
    do {
      const name = functionName((yield* reader.textPast([SYNTAX.nameEnd])).text);
      yield* readTaggedCall(reader, calls, tools, name, SYNTAX);
      yield* reader.skipSpace();
    } while (yield* reader.tryText(SYNTAX.begin));
    yield* reader.tryText(END);
  },
};
