import { invalidRequest } from "../../kernel/errors.ts";
import type { ToolFunction, Tools } from "../../parsers/types.ts";
import type { ChatCompletionRequest, ToolChoice } from "./schemas.ts";

/** Which functions a model may call, and how often. */
export interface AllowedCalls {
  /** Empty if it may call none. */
  readonly tools: Tools;
  /** Whether it must call one of them. */
  readonly isRequired: boolean;
  /** Whether it may only call one. */
  readonly isSingle: boolean;
}

/** @throws ApiError 400 for a choice that names no tool of the request */
export function allowedCalls(
  body: Partial<Pick<ChatCompletionRequest, "tools" | "tool_choice" | "parallel_tool_calls">>,
): AllowedCalls {
  const { tools, tool_choice: choice, parallel_tool_calls: isParallel } = body;
  const all = (tools ?? []).map(({ function: { name, parameters, strict } }) => ({
    name,
    parameters: parameters ?? undefined,
    isStrict: strict === true,
  }));
  return chosenCalls(all, isParallel !== false, choice, "tool_choice.function.name");
}

/**
 * @param functions those of the request
 * @param nameParam the field that names a function, for errors
 * @throws ApiError 400 for a choice that names none of them, and for functions of the same name
 */
export function chosenCalls(
  functions: readonly ToolFunction[],
  isParallel: boolean,
  choice: ToolChoice | null | undefined,
  nameParam: string,
): AllowedCalls {
  const all = byName(functions);
  if (all.size === 0 && choice && choice !== "none" && choice !== "auto")
    throw invalidRequest("'tool_choice' is only allowed together with 'tools'.", "tool_choice");
  const { names, isRequired, isSingle = !isParallel } = readChoice(choice ?? "auto", all, nameParam);
  return { tools: new Map([...all].filter(([name]) => names.has(name))), isRequired, isSingle };
}

function byName(functions: readonly ToolFunction[]): Tools {
  const all = new Map<string, ToolFunction>();
  for (const each of functions) {
    const { name } = each;
    if (all.has(name))
      throw invalidRequest(`'tools' has two functions named '${name}'. Give each its own name.`, "tools");
    all.set(name, each);
  }
  return all;
}

function readChoice(
  choice: ToolChoice,
  all: Tools,
  nameParam: string,
): { names: ReadonlySet<string>; isRequired: boolean; isSingle?: boolean } {
  if (choice === "none") return { names: new Set(), isRequired: false };
  if (typeof choice === "string") return { names: new Set(all.keys()), isRequired: choice === "required" };
  if (choice.type === "function") {
    const { name } = choice.function;
    requireTool(name, all, nameParam);
    return { names: new Set([name]), isRequired: true, isSingle: true };
  }
  const { mode, tools } = choice.allowed_tools;
  const names = tools.map(({ function: { name } }, index) => {
    requireTool(name, all, `tool_choice.allowed_tools.tools[${index}].function.name`);
    return name;
  });
  return { names: new Set(names), isRequired: mode === "required" };
}

function requireTool(name: string, all: Tools, param: string): void {
  if (all.has(name)) return;
  const known = [...all.keys()].join(", ").slice(0, 500);
  throw invalidRequest(
    `Invalid value for '${param}': there is no tool '${name.slice(0, 100)}' among ${known}.`,
    param,
  );
}

/**
 * Refuses tools that run on the servers of OpenAI or Anthropic, by their name.
 * @param own the types of tools that the client runs
 * @throws ApiError 400; an engine may have them
 */
export function refuseBuiltInTools(raw: unknown, own: readonly string[]): void {
  const tools: unknown = Reflect.get(Object(raw), "tools");
  if (!Array.isArray(tools)) return;
  for (const [index, tool] of tools.entries()) {
    const type: unknown = Reflect.get(Object(tool), "type");
    if (typeof type !== "string" || own.includes(type)) continue;
    throw invalidRequest(
      `The tool '${type.slice(0, 100)}' is not supported: the model can only call functions of the client. Leave it out.`,
      `tools[${index}].type`,
      "unsupported_parameter",
    );
  }
}
