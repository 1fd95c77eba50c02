import { isRecord, recordsOf } from "./json.ts";

/** A tool as chat templates are given it. */
export interface ToolDefinition {
  readonly type: "function";
  readonly function: Readonly<Record<string, unknown>>;
}

/**
 * The tools of a chat as vLLM hands them to templates, which write them out as they are: its own fields in its own
 * order, whatever order the client has them in, with null for those that are missing.
 */
export function chatTools(tools: unknown): ToolDefinition[] | undefined {
  const given = recordsOf(tools)?.map(({ function: tool, defer_loading }) =>
    isRecord(tool) ? { ...tool, defer_loading: tool.defer_loading ?? defer_loading } : {},
  );
  return definitions(given);
}

/** The tools of a Responses request, which have no `function` around them; engines' own tools are left out. */
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
