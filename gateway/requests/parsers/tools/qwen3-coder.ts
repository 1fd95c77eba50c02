import { declaredName, functionName } from "../reading/names.ts";
import { argumentNames } from "../reading/schema.ts";
import { TaggedArguments } from "../reading/tagged-arguments.ts";
import { Nonsense, type Step, type TextReader } from "../reading/text-reader.ts";
import type { CallContext, CallSink, ToolFormat } from "../types.ts";

/**
 * `<tool_call><function=f><parameter=k>⏎v⏎</parameter></function></tool_call>`: Qwen3-Coder, Qwen 3.5, Nemotron 3.
 * Source: https://huggingface.co/Qwen/Qwen3-Coder-30B-A3B-Instruct/blob/main/chat_template.jinja
 */
export const qwen3Coder: ToolFormat = {
  name: "qwen3-coder",
  matches: ({ template, model }) =>
    (template.includes("<function=") && template.includes("<parameter=")) || /qwen-?3-coder/.test(model),
  // The model often forgets the tag around its calls.
  begins: ["<tool_call>", "<function="],
  ends: ["</function>", "</tool_call>"],
  controls: ["<tool_call>", "</tool_call>"],
  *read(reader, calls, context) {
    const isBare = context.begin === "<function=";
    yield* reader.skipSpace();
    if (!isBare) yield* reader.expect("<function=");
    do {
      yield* readFunction(reader, calls, context, isBare);
      yield* reader.skipSpace();
    } while (yield* reader.tryText("<function="));
    yield* reader.tryText("</tool_call>");
  },
};

function* readFunction(
  reader: TextReader,
  calls: CallSink,
  { tools }: CallContext,
  isBare: boolean,
): Step<void> {
  const { text } = yield* reader.textPast([">"]);
  const name = isBare ? declaredName(text, tools) : functionName(text);
  const written = new TaggedArguments(calls, tools, name);
  const keys = argumentNames(tools, name);
  yield* reader.skipSpace();
  while (yield* reader.tryText("<parameter=")) {
    const { text: key } = yield* reader.textPast([">"]);
    // One line end on each side is not part of the value.
    yield* reader.tryText("\n");
    const marker = yield* written.read(reader, functionName(key), MARKERS, {
      isEnd: endOfValue(reader, keys),
    });
    if (marker.endsWith("</parameter>")) reader.skip(marker.length);
    yield* reader.skipSpace();
  }
  if (!(yield* reader.tryText("</function>")) && !(yield* reader.following(["</tool_call>"])))
    throw new Nonsense("Expected </function>.");
  written.end();
}

const TAGS = ["</parameter>", "<parameter=", "</function>", "<function="];
const MARKERS = [...TAGS, ...TAGS.map((tag) => `\n${tag}`)];

/**
 * Tells whether a marker ends a value. Nothing is escaped, so values may contain tags, and the model sometimes forgets
 * to close a parameter: what comes after a tag decides.
 */
function endOfValue(reader: TextReader, keys: readonly string[]): (marker: string) => Step<boolean> {
  // How many functions begin within the value, and have not ended.
  let inner = 0;
  return function* (marker) {
    const tag = marker.trimStart();
    if (tag === "</parameter>") {
      const next = ["<parameter=", "</function>", "</tool_call>"];
      return (yield* reader.following(next, marker.length)) !== undefined;
    }
    if (tag === "<parameter=") {
      const next = keys.map((key) => `<parameter=${key}>`);
      return inner === 0 && Boolean(yield* reader.following(next));
    }
    if (tag === "<function=") inner++;
    else if (inner === 0)
      return (yield* reader.following(["</tool_call>", "<function="], marker.length)) !== undefined;
    else inner--;
    return false;
  };
}
