import { passArguments } from "../reading/json-call.ts";
import { functionName } from "../reading/names.ts";
import type { ToolFormat } from "../types.ts";

const SECTION_BEGIN = "<|tool_calls_section_begin|>";
const SECTION_END = "<|tool_calls_section_end|>";
const CALL_BEGIN = "<|tool_call_begin|>";
const CALL_END = "<|tool_call_end|>";
const ARGUMENTS = "<|tool_call_argument_begin|>";

/**
 * `<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{…}<|tool_call_end|>…`
 * `<|tool_calls_section_end|>`.
 * Source: https://huggingface.co/moonshotai/Kimi-K2-Instruct/blob/main/docs/tool_call_guidance.md
 */
export const kimiK2: ToolFormat = {
  name: "kimi-k2",
  matches: ({ template, model }) => template.includes(CALL_BEGIN) || /kimi-?k2/.test(model),
  begins: [SECTION_BEGIN, CALL_BEGIN],
  ends: [CALL_END, SECTION_END],
  controls: [SECTION_BEGIN, SECTION_END, CALL_BEGIN, CALL_END, ARGUMENTS],
  *read(reader, calls, { begin }) {
    yield* reader.skipSpace();
    if (begin === SECTION_BEGIN) yield* reader.expect(CALL_BEGIN);
    do {
      const id = functionName((yield* reader.textPast([ARGUMENTS])).text);
      const name = id.replace(/^functions\./, "").replace(/:\d+$/, "");
      // Without a number, it does not tell two calls apart.
      const written = /:\d+$/.test(id) ? id : undefined;
      yield* passArguments(reader, calls, name, { id: written, ends: [CALL_END] });
      yield* reader.skipSpace();
      yield* reader.tryText(CALL_END);
      yield* reader.skipSpace();
    } while (yield* reader.tryText(CALL_BEGIN));
    yield* reader.tryText(SECTION_END);
  },
};
