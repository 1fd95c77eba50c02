import { functionName } from "../reading/names.ts";
import { TaggedArguments } from "../reading/tagged-arguments.ts";
import { Nonsense, type Step } from "../reading/text-reader.ts";
import type { ToolFormat } from "../types.ts";

const BEGIN = "<tool_call>";
const END = "</tool_call>";
const KEY = "<arg_key>";
const VALUE_END = "</arg_value>";

/**
 * `<tool_call>f⏎<arg_key>k</arg_key>⏎<arg_value>v</arg_value></tool_call>`, since GLM 4.7 without the line ends.
 * Source: https://huggingface.co/zai-org/GLM-4.5/blob/main/chat_template.jinja
 */
export const glm45: ToolFormat = {
  name: "glm-4.5",
  matches: ({ template }) => template.includes(KEY),
  begins: [BEGIN],
  ends: [END],
  controls: [BEGIN, END, KEY, "</arg_key>", "<arg_value>", VALUE_END],
  *read(reader, calls, { tools }) {
    yield* reader.skipSpace();
    const name = functionName(yield* reader.while(/[^\s<]/));
    if (!(yield* reader.following([KEY, END]))) throw new Nonsense("Expected an argument.");
    const written = new TaggedArguments(calls, tools, name);
    // A value may contain the tag that ends it, but hardly what comes next.
    const isEnd = function* (): Step<boolean> {
      return (yield* reader.following([KEY, END], VALUE_END.length)) !== undefined;
    };
    yield* reader.skipSpace();
    while (yield* reader.tryText(KEY)) {
      const { text: key } = yield* reader.textPast(["</arg_key>"]);
      // The model sometimes forgets the tag that begins a value.
      if (yield* reader.following(["<arg_value>"])) yield* reader.skipSpace();
      yield* reader.tryText("<arg_value>");
      yield* written.read(reader, key.trim(), [VALUE_END], { isEnd });
      reader.skip(VALUE_END.length);
      yield* reader.skipSpace();
    }
    yield* reader.expect(END);
    written.end();
  },
};
