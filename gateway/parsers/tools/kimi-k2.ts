import { passArguments } from "../reading/json-arguments.ts";
import { functionName } from "../reading/names.ts";
import type { ToolFormat, Tools } from "../types.ts";

// The model sometimes writes them in the singular.
const SECTION_BEGINS = ["<|tool_calls_section_begin|>", "<|tool_call_section_begin|>"];
const SECTION_ENDS = ["<|tool_calls_section_end|>", "<|tool_call_section_end|>"];
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
  begins: [...SECTION_BEGINS, CALL_BEGIN],
  ends: [CALL_END, ...SECTION_ENDS],
  syntax: {
    begins: [SECTION_BEGINS[0]!],
    forms: [
      {
        ...{ kind: "named", before: `${CALL_BEGIN}functions.`, isNumbered: true, between: ARGUMENTS },
        ...{ after: CALL_END, more: "", end: SECTION_ENDS[0]! },
      },
    ],
  },
  controls: [...SECTION_BEGINS, ...SECTION_ENDS, CALL_BEGIN, CALL_END, ARGUMENTS],
  *read(reader, calls, { tools, begin }) {
    yield* reader.skipSpace();
    if (begin !== CALL_BEGIN) yield* reader.expect(CALL_BEGIN);
    do {
      const { name, id } = readId(functionName((yield* reader.textPast([ARGUMENTS])).text), tools);
      yield* passArguments(reader, calls, name, { id, ends: [CALL_END] });
      yield* reader.skipSpace();
      yield* reader.tryText(CALL_END);
      yield* reader.skipSpace();
    } while (yield* reader.tryText(CALL_BEGIN));
    for (const end of SECTION_ENDS) yield* reader.tryText(end);
  },
};

/** The name and the ID in `functions.f:0`. The model also writes `functions_f_0` and `functionsf0`. */
function readId(written: string, tools: Tools): { readonly name: string; readonly id: string | undefined } {
  const name = written.replace(/^functions\./, "").replace(/:\d+$/, "");
  const loose = written.match(/^functions[._]?(.+?)[:_]?\d+$/)?.[1];
  if (loose !== undefined && !tools.has(name) && tools.has(loose)) return { name: loose, id: written };
  // Without a number, it does not tell two calls apart.
  return { name, id: /:\d+$/.test(written) ? written : undefined };
}
