import { readCallObjects } from "../reading/json-call.ts";
import type { ToolFormat } from "../types.ts";

/**
 * `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, one for each call: Hermes 2 and 3, Qwen 2.5 and 3.
 * Source: https://github.com/NousResearch/Hermes-Function-Calling and the chat templates of Qwen3.
 */
export const hermes: ToolFormat = {
  name: "hermes",
  matches: ({ template }) => template.includes("<tool_call>"),
  begins: ["<tool_call>"],
  ends: ["</tool_call>"],
  syntax: {
    begins: ["<tool_call>"],
    forms: [{ kind: "objects", end: "</tool_call>", more: "<tool_call>" }],
  },
  controls: ["<tool_call>", "</tool_call>"],
  *read(reader, calls) {
    do {
      yield* readCallObjects(reader, calls);
      yield* reader.skipSpace();
      // Small models close one brace too many.
      while (yield* reader.tryText("}")) yield* reader.skipSpace();
    } while ((yield* reader.peek()) === "{");
    yield* reader.tryText("</tool_call>");
  },
};
