import { isRecord, recordsOf } from "../kernel/json.ts";

/** A tool in the format that chat templates expect. */
export interface ToolDefinition {
  readonly type: "function";
  readonly function: Readonly<Record<string, unknown>>;
}

/**
 * The tools of a chat as vLLM passes them to templates, which render them verbatim: with vLLM's fields in vLLM's order,
 * and null for missing ones.
 */
export function chatTools(tools: unknown): ToolDefinition[] | undefined {
  const given = recordsOf(tools)?.map(({ function: tool, defer_loading }) =>
    isRecord(tool) ? { ...tool, defer_loading: tool.defer_loading ?? defer_loading } : {},
  );
  return definitions(given);
}

/** The tools of a Responses request, which are not nested in `function`; built-in tools are omitted. */
export function responsesTools(tools: unknown): ToolDefinition[] | undefined {
  return definitions(recordsOf(tools)?.filter(({ type }) => type === "function"));
}

/** The tools of a Messages request. */
export function messagesTools(tools: unknown): ToolDefinition[] | undefined {
  return definitions(recordsOf(tools)?.map((tool) => ({ ...tool, parameters: tool.input_schema })));
}

function definitions(tools: readonly Readonly<Record<string, unknown>>[] | undefined) {
  if (tools === undefined || tools.length === 0) return undefined;
  return tools.map(
    ({ name, description = null, parameters = null, strict, defer_loading }): ToolDefinition => ({
      type: "function",
      function: {
        name,
        description,
        parameters,
        ...(typeof strict === "boolean" && { strict }),
        ...(typeof defer_loading === "boolean" && { defer_loading }),
      },
    }),
  );
}
