import { invalidRequest } from "../kernel/errors.ts";
import { type Item, Rules, repeat, rule, text } from "./gbnf/rules.ts";
import { writeGrammar } from "./gbnf/write.ts";
import { JsonRules } from "./json-rules.ts";
import { Compiler } from "./schema/compiler.ts";
import { locate } from "./schema/located.ts";

/** A function that a model can call. */
export interface ToolSchema {
  readonly name: string;
  /** The JSON schema of its arguments, an object; absent if it takes none. */
  readonly parameters?: unknown;
}

/**
 * The grammar of a list of calls, `[{"name": "f", "parameters": {…}}, …]`: at least one, and only one unless they may be
 * `parallel`. Each call's parameters satisfy its tool's own schema.
 *
 * @throws ApiError 400 that names the first keyword that cannot be honoured: `tools[0].function.parameters.not`
 */
export function callsGrammar(
  tools: readonly ToolSchema[],
  { parallel }: { readonly parallel: boolean },
): string {
  const rules = new Rules();
  const json = new JsonRules(rules);
  const call = rule(
    rules.add(
      "call",
      tools.map(({ name, parameters }, index) => [
        ...[text("{"), json.blank, ...json.key("name"), text(JSON.stringify(name)), text(","), json.blank],
        ...[...json.key("parameters"), argumentsOf(rules, parameters, `tools[${index}].function.parameters`)],
        ...[json.blank, text("}")],
      ]),
    ),
  );
  const more = rules.add("more-calls", [[text(","), json.blank, call]]);
  const others = repeat(more, 0, parallel ? Number.POSITIVE_INFINITY : 0);
  const root = rules.add("calls", [[text("["), json.blank, call, others, json.blank, text("]")]]);
  const grammar = writeGrammar(rules, root);
  if (grammar !== undefined) return grammar;
  throw invalidRequest("No tool can be called: no arguments satisfy the schemas of 'tools'.", "tools");
}

function argumentsOf(rules: Rules, parameters: unknown, path: string): Item {
  const root = locate(parameters ?? { type: "object", properties: {} }, path);
  const compiler = new Compiler(root, rules);
  const isObject = { ...locate({ type: "object" }, path) };
  const value = compiler.value([root, isObject], "parameters");
  compiler.finish();
  return value;
}
