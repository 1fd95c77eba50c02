import { readCallObjects, USUAL_KEYS } from "../reading/json-call.ts";
import type { ToolFormat } from "../types.ts";

const BEGIN = "<|tool_call|>";
const END = "<|/tool_call|>";
const LIST = "functools";

/**
 * `<|tool_call|>[{"name": …, "arguments": {…}}]<|/tool_call|>`, or `functools[{…}]`: Phi-4 and Phi-4-mini.
 * Source: https://huggingface.co/microsoft/Phi-4-mini-instruct#tool-enabled-function-calling-format
 */
export const phi4: ToolFormat = {
  name: "phi-4",
  matches: ({ template, model }) =>
    template.includes("<|/tool|>") || template.includes(END) || /phi-?4/.test(model),
  begins: [BEGIN, `${LIST}[`],
  ends: [END],
  syntax: { begins: [BEGIN], forms: [{ kind: "list", end: END }] },
  controls: [BEGIN, END],
  *read(reader, calls, { begin }) {
    yield* reader.skipSpace();
    if (begin === BEGIN) yield* reader.tryText(LIST);
    yield* readCallObjects(reader, calls, USUAL_KEYS, begin !== BEGIN);
    yield* reader.skipSpace();
    yield* reader.tryText(END);
  },
};
