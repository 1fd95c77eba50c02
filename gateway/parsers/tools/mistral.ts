import { passArguments } from "../reading/json-arguments.ts";
import { readCallObjects } from "../reading/json-call.ts";
import { functionName } from "../reading/names.ts";
import type { Step, TextReader } from "../reading/text-reader.ts";
import type { CallSink, ToolFormat } from "../types.ts";

const BEGIN = "[TOOL_CALLS]";
/** Only some models write it. */
const END = "[/TOOL_CALLS]";

/**
 * `[TOOL_CALLS][{"name": …, "arguments": {…}}]`, and since tokenizer version 11 `[TOOL_CALLS]f[ARGS]{…}` for each call,
 * or `[TOOL_CALLS]f[CALL_ID]id[ARGS]{…}`.
 * Source: https://github.com/mistralai/mistral-common, its instruct tokenizers.
 */
export const mistral: ToolFormat = {
  name: "mistral",
  matches: ({ template }) => template.includes(BEGIN),
  begins: [BEGIN],
  ends: [END],
  syntax: {
    begins: [BEGIN],
    forms: [
      { kind: "list", end: "" },
      { kind: "named", before: "", between: "[ARGS]", after: "", more: BEGIN, end: "" },
    ],
  },
  controls: [BEGIN, END, "[CALL_ID]", "[ARGS]"],
  *read(reader, calls) {
    do {
      yield* reader.skipSpace();
      const first = yield* reader.peek();
      if (first === "[" || first === "{") yield* readCallObjects(reader, calls);
      else yield* readNamed(reader, calls);
      yield* reader.skipSpace();
    } while (yield* reader.tryText(BEGIN));
    yield* reader.tryText(END);
  },
};

function* readNamed(reader: TextReader, calls: CallSink): Step<void> {
  const name = functionName(yield* reader.while(/[^[{]/));
  let id: string | undefined;
  if (yield* reader.tryText("[CALL_ID]")) id = (yield* reader.while(/[^[{]/)).trim();
  // Without it, the tokenizer has dropped it.
  yield* reader.tryText("[ARGS]");
  yield* passArguments(reader, calls, name, { id });
}
