import { passArguments } from "../reading/json-arguments.ts";
import { readCallObjects, USUAL_KEYS } from "../reading/json-call.ts";
import { declaredName, functionName } from "../reading/names.ts";
import { readArguments } from "../reading/python.ts";
import { argumentNames } from "../reading/schema.ts";
import type { ToolFormat } from "../types.ts";

const BEGIN = "<|python_tag|>";
const TAG = "<function=";

/**
 * `{"name": …, "parameters": {…}}` at the beginning of an answer, or anywhere after `<|python_tag|>`; several are
 * separated by semicolons. For its own tools also `<|python_tag|>f.call(k="v")`, and `<function=f>{…}</function>`.
 * Source: https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1/
 */
export const llama3Json: ToolFormat = {
  name: "llama3-json",
  matches: ({ template, model }) =>
    template.includes("<|python_tag|>") ||
    template.includes('"parameters": dictionary of argument name') ||
    /llama-?3\.[1-3]/.test(model),
  begins: [BEGIN, TAG],
  opens: ["{", "["],
  ends: ["</function>"],
  controls: [BEGIN],
  *read(reader, calls, { tools, begin }) {
    if (begin === TAG) {
      const name = declaredName((yield* reader.textPast([">"])).text, tools);
      yield* passArguments(reader, calls, name);
      yield* reader.skipSpace();
      yield* reader.tryText("</function>");
      return;
    }
    yield* reader.skipSpace();
    if (begin === BEGIN && !/[{[]/.test(yield* reader.peek())) {
      const name = functionName((yield* reader.textPast(["("])).text.replace(/\.call$/, ""));
      yield* readArguments(reader, calls, argumentNames(tools, name), () => calls.begin(name));
      return;
    }
    const accepts = (name: string) => begin === BEGIN || declaredName(name, tools) !== "";
    do {
      yield* readCallObjects(reader, calls, { ...USUAL_KEYS, accepts, needsArguments: begin !== BEGIN });
      yield* reader.skipSpace();
    } while ((yield* reader.tryText(";")) || (yield* reader.tryText(BEGIN)));
  },
};
