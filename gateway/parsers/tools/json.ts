import { readCallObjects, USUAL_KEYS } from "../reading/json-call.ts";
import { declaredName } from "../reading/names.ts";
import type { ToolFormat } from "../types.ts";

/**
 * `{"name": …, "arguments": {…}}`, or a list of such objects, at the beginning of an answer, for functions that there
 * are: of models without a format of their own, and of answers that are constrained to calls.
 * Source: https://platform.openai.com/docs/guides/function-calling
 */
export const json: ToolFormat = {
  name: "json",
  matches: () => false,
  begins: [],
  opens: ["{", "[", "```json"],
  *read(reader, calls, { tools }) {
    const isFenced = yield* reader.tryText("```json");
    const accepts = (name: string) => declaredName(name, tools) !== "";
    yield* readCallObjects(reader, calls, { ...USUAL_KEYS, accepts, needsArguments: true });
    yield* reader.skipSpace();
    if (isFenced) yield* reader.tryText("```");
  },
};
