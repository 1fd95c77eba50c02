import { invalidRequest } from "../kernel/errors.ts";
import { type Item, Rules, repeat, rule, type Sequence, text } from "./gbnf/rules.ts";
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

export interface CallsOptions {
  /** Whether there may be several calls. */
  readonly parallel: boolean;
  /** What the answer may be instead: JSON that satisfies a schema, or any JSON object. */
  readonly answer?: { readonly schema: unknown; readonly path: string } | "object" | undefined;
}

/**
 * The grammar of a list of calls, `[{"name": "f", "parameters": {…}}, …]`: at least one, and only one unless they may be
 * `parallel`. Each call's parameters satisfy its tool's own schema.
 *
 * @throws ApiError 400 that names the first keyword that cannot be honoured: `tools[0].function.parameters.not`
 */
export function callsGrammar(tools: readonly ToolSchema[], { parallel, answer }: CallsOptions): string {
  const rules = new Rules();
  const json = new JsonRules(rules);
  const call = callRule(rules, json, tools, "parameters");
  const more = rules.add("more-calls", [[text(","), json.blank, call]]);
  const others = repeat(more, 0, parallel ? Number.POSITIVE_INFINITY : 0);
  const list = [text("["), json.blank, call, others, json.blank, text("]")];
  return written(rules, [list, ...(answer === undefined ? [] : [[answerOf(rules, json, answer)]])]);
}

/**
 * The grammar of what follows the text that begins a call, up to the end of the last one:
 * `{"name": "f", "arguments": {…}}</tool_call>`, as models of the family hermes write it.
 *
 * @throws ApiError 400 that names the first keyword that cannot be honoured
 */
export function taggedCallsGrammar(
  tools: readonly ToolSchema[],
  { begin, end, parallel }: { readonly begin: string; readonly end: string; readonly parallel: boolean },
): string {
  const rules = new Rules();
  const json = new JsonRules(rules);
  const call = callRule(rules, json, tools, "arguments");
  const first = [json.blank, call, json.blank, text(end)];
  const more = rules.add("more-calls", [[json.blank, text(begin), ...first]]);
  return written(rules, [[...first, repeat(more, 0, parallel ? Number.POSITIVE_INFINITY : 0)]]);
}

function callRule(rules: Rules, json: JsonRules, tools: readonly ToolSchema[], key: string): Item {
  const alternatives = tools.map(({ name, parameters }, index) => [
    ...[text("{"), json.blank, ...json.key("name"), text(JSON.stringify(name)), text(","), json.blank],
    ...[...json.key(key), argumentsOf(rules, parameters, `tools[${index}].function.parameters`)],
    ...[json.blank, text("}")],
  ]);
  return rule(rules.add("call", alternatives));
}

function argumentsOf(rules: Rules, parameters: unknown, path: string): Item {
  const root = locate(parameters ?? { type: "object", properties: {} }, path);
  const compiler = new Compiler(root, rules);
  const isObject = { ...locate({ type: "object" }, path) };
  const value = compiler.value([root, isObject], "parameters");
  compiler.finish();
  return value;
}

function answerOf(rules: Rules, json: JsonRules, answer: NonNullable<CallsOptions["answer"]>): Item {
  if (answer === "object") return json.object;
  const root = locate(answer.schema, answer.path);
  const compiler = new Compiler(root, rules);
  const value = compiler.value([root], "answer");
  compiler.finish();
  return value;
}

function written(rules: Rules, alternatives: readonly Sequence[]): string {
  const grammar = writeGrammar(rules, rules.add("calls", alternatives));
  if (grammar !== undefined) return grammar;
  throw invalidRequest("No tool can be called: no arguments satisfy the schemas of 'tools'.", "tools");
}
