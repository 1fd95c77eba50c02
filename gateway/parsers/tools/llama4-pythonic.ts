import { readCallObjects, USUAL_KEYS } from "../reading/json-call.ts";
import { declaredName } from "../reading/names.ts";
import { readPythonCalls } from "../reading/python.ts";
import type { ToolFormat } from "../types.ts";

const BEGIN = "<|python_start|>";
const END = "<|python_end|>";

/**
 * `[f(k="v"), g()]` at the beginning of an answer, or `<|python_start|>[f(k="v")]<|python_end|>`: Llama 4 and the small
 * models of Llama 3.2. Instead of the list there may be an object as of Llama 3.
 * Source: https://www.llama.com/docs/model-cards-and-prompt-formats/llama4/
 */
export const llama4Pythonic: ToolFormat = {
  name: "llama4-pythonic",
  matches: ({ template, model }) =>
    template.includes(BEGIN) || /llama-?4/.test(model) || template.includes("func_name1(params_name1"),
  begins: [BEGIN],
  opens: ["[", "{"],
  ends: [END],
  controls: [BEGIN, END],
  *read(reader, calls, { tools, begin }) {
    yield* reader.skipSpace();
    const accepts = (name: string) => begin === BEGIN || declaredName(name, tools) !== "";
    // Llama 4 also writes JSON.
    if ((yield* reader.peek()) === "{")
      yield* readCallObjects(reader, calls, { ...USUAL_KEYS, accepts, needsArguments: begin !== BEGIN });
    else yield* readPythonCalls(reader, calls, { tools, others: begin === BEGIN });
    yield* reader.skipSpace();
    yield* reader.tryText(END);
  },
};
