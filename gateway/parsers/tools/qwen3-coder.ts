import { declaredName, functionName } from "../reading/names.ts";
import { readTaggedCall, type TagSyntax } from "../reading/tagged-call.ts";
import type { ToolFormat } from "../types.ts";

const BEGIN = "<tool_call>";
const END = "</tool_call>";
const SYNTAX: TagSyntax = {
  begin: "<function=",
  nameEnd: ">",
  end: "</function>",
  argument: "<parameter=",
  argumentEnd: "</parameter",
  after: [END],
  hasLines: true,
};

/**
 * `<tool_call><function=f><parameter=k>⏎v⏎</parameter></function></tool_call>`: Qwen3-Coder, Qwen 3.5, Nemotron 3.
 * Source: https://huggingface.co/Qwen/Qwen3-Coder-30B-A3B-Instruct/blob/main/chat_template.jinja
 */
export const qwen3Coder: ToolFormat = {
  name: "qwen3-coder",
  matches: ({ template, model }) =>
    (template.includes(SYNTAX.begin) && template.includes(SYNTAX.argument)) || /qwen-?3-coder/.test(model),
  // The model often forgets the tag around its calls.
  begins: [BEGIN, SYNTAX.begin],
  ends: [SYNTAX.end, END],
  controls: [BEGIN, END],
  *read(reader, calls, { tools, begin }) {
    yield* reader.skipSpace();
    if (begin === BEGIN) yield* reader.expect(SYNTAX.begin);
    do {
      const { text } = yield* reader.textPast([SYNTAX.nameEnd]);
      const name = begin === BEGIN ? functionName(text) : declaredName(text, tools);
      yield* readTaggedCall(reader, calls, tools, name, SYNTAX);
      yield* reader.skipSpace();
    } while (yield* reader.tryText(SYNTAX.begin));
    yield* reader.tryText(END);
  },
};
