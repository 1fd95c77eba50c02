import { invalidRequest } from "../kernel/errors.ts";
import { type CallSyntax, formRule } from "./call-syntax.ts";
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
 * The grammar of what follows the text that begins calls, up to the end of the last one, as a model writes them.
 *
 * @throws ApiError 400 that names the first keyword that cannot be honoured
 */
export function writtenCallsGrammar(
  tools: readonly ToolSchema[],
  { forms }: CallSyntax,
  { parallel }: Pick<CallsOptions, "parallel">,
): string {
  const rules = new Rules();
  const json = new JsonRules(rules);
  const parameters = tools.map((tool, index) => argumentsOf(rules, tool.parameters, pathOf(index)));
  const calls = {
    json,
    object: () => rule(rules.share("call", "call", () => callObjects(json, tools, parameters, "arguments"))),
    named: (before: string, between: Sequence) =>
      rule(
        rules.add(
          "call",
          tools.map(({ name }, index) => [text(before), text(name), ...between, parameters[index]!]),
        ),
      ),
  };
  return written(
    rules,
    forms.map((form) => formRule(rules, form, calls, parallel)),
  );
}

function callRule(rules: Rules, json: JsonRules, tools: readonly ToolSchema[], key: string): Item {
  const parameters = tools.map((tool, index) => argumentsOf(rules, tool.parameters, pathOf(index)));
  return rule(rules.add("call", callObjects(json, tools, parameters, key)));
}

/** The ways to write a call as a JSON object. */
const callObjects = (
  json: JsonRules,
  tools: readonly ToolSchema[],
  parameters: readonly Item[],
  key: string,
): Sequence[] =>
  tools.map(({ name }, index) => [
    ...[text("{"), json.blank, ...json.key("name"), text(JSON.stringify(name)), text(","), json.blank],
    ...[...json.key(key), parameters[index]!, json.blank, text("}")],
  ]);

const pathOf = (index: number) => `tools[${index}].function.parameters`;

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
