import type { FunctionTool, InputItem, InputTokensRequest } from "./schemas.ts";

/** The names of a function for the client. */
export interface FunctionName {
  readonly name: string;
  readonly namespace?: string;
}

/** The functions of a request, each under one name; those of a namespace are named `namespace.name`. */
export function functionsOf({ tools }: InputTokensRequest): FunctionTool[] {
  return (tools ?? []).flatMap((tool) =>
    tool.type === "function"
      ? [tool]
      : tool.tools.map((each) => ({ ...each, name: modelName({ ...each, namespace: tool.name }) })),
  );
}

/** The client's names of the functions in namespaces, by the model's. */
export const clientNames = ({ tools }: InputTokensRequest): ReadonlyMap<string, FunctionName> =>
  new Map(
    (tools ?? []).flatMap((tool) =>
      tool.type === "function"
        ? []
        : tool.tools.map(({ name }): [string, FunctionName] => {
            const names = { name, namespace: tool.name };
            return [modelName(names), names];
          }),
    ),
  );

/** An item as the model sees it. */
export const forModel = (item: InputItem): InputItem =>
  item.type === "function_call" && item.namespace
    ? { ...item, name: modelName({ name: item.name, namespace: item.namespace }) }
    : item;

const modelName = ({ name, namespace }: FunctionName) =>
  namespace === undefined ? name : `${namespace}.${name}`;
