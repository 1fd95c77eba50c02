import { readCallObjects } from "../reading/json-call.ts";
import type { ToolFormat } from "../types.ts";

const NEW = "<tool_call>";
const END = "</tool_call>";
const OLD = "<|tool_call|>";

/**
 * `<|tool_call|>[{"name": …, "arguments": {…}}]`: Granite 3; with `<tool_call>` since 3.1, and
 * `<tool_call>{…}</tool_call>` for each call in Granite 4.
 * Source: https://www.ibm.com/granite/docs/models/granite and the chat templates of Granite 3.1, 3.3 and 4.0.
 */
export const granite: ToolFormat = {
  name: "granite",
  matches: ({ template, model }) =>
    template.includes("<|start_of_role|>") && (template.includes("tool_call") || model.includes("granite")),
  begins: [OLD, NEW],
  ends: [END],
  syntax: {
    begins: [OLD, NEW],
    forms: [
      { kind: "list", end: "" },
      { kind: "objects", end: END, more: NEW },
    ],
  },
  controls: [OLD, NEW, END],
  *read(reader, calls) {
    yield* readCallObjects(reader, calls);
    yield* reader.skipSpace();
    yield* reader.tryText(END);
  },
};
