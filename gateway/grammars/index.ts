import { invalidRequest } from "../kernel/errors.ts";
import { AutomatonError } from "./automata/automaton.ts";
import { automatonRules, plain } from "./gbnf/automaton-rules.ts";
import { type Item, Rules, rule, text } from "./gbnf/rules.ts";
import { writeGrammar } from "./gbnf/write.ts";
import { JsonRules } from "./json-rules.ts";
import { compilePattern } from "./regex/compile.ts";
import { Compiler } from "./schema/compiler.ts";
import { locate, unsupported } from "./schema/located.ts";

export type { CallForm, CallSyntax } from "./call-syntax.ts";
export { type CallsOptions, callsGrammar, type ToolSchema, writtenCallsGrammar } from "./calls.ts";
export { type ReasoningTexts, reasoningGrammar } from "./reasoning.ts";

/**
 * The grammar of the JSON values that satisfy a JSON schema, in GBNF, the notation of llama.cpp. Every sentence of the
 * grammar satisfies the schema. Properties come in the order of the schema, and other keys only if the schema says so:
 * `additionalProperties`, or an object without `properties`.
 *
 * @param path where the schema is in the request, for errors: `response_format.json_schema.schema`
 * @throws ApiError 400 that names the first keyword that cannot be honoured
 * @example schemaGrammar({ type: "object", properties: { age: { type: "integer" } } }, "structured_outputs.json")
 */
export function schemaGrammar(schema: unknown, path: string): string {
  const root = locate(schema, path);
  const compiler = new Compiler(root);
  const value = compiler.value([root], "root-value");
  compiler.finish();
  const grammar = written(compiler.rules, value);
  if (grammar === undefined) throw unsatisfiable(path);
  return grammar;
}

/** The grammar of any JSON object. */
export function jsonObjectGrammar(): string {
  const rules = new Rules();
  return written(rules, new JsonRules(rules).object)!;
}

/**
 * The grammar of the texts that a regular expression matches as a whole.
 * @throws ApiError 400 if it is not regular, or too large
 */
export function regexGrammar(source: string, path: string): string {
  const rules = new Rules();
  try {
    const grammar = written(rules, rule(automatonRules(rules, compilePattern(source, false), "text", plain)));
    if (grammar === undefined) throw new AutomatonError("matches nothing");
    return grammar;
  } catch (error) {
    if (!(error instanceof AutomatonError)) throw error;
    throw unsupported(path, `the regular expression ${error.message}.`);
  }
}

/**
 * The grammar of a choice between texts.
 * @throws ApiError 400 if there is none, or one has a NUL character
 */
export function choiceGrammar(choices: readonly string[], path: string): string {
  const bad = choices.findIndex((choice) => choice.includes("\0"));
  if (choices.length === 0 || bad >= 0)
    throw invalidRequest(
      `Invalid value for '${path}': it must be a list of texts without NUL characters.`,
      path,
    );
  const rules = new Rules();
  const name = rules.add(
    "choice",
    choices.map((choice) => [text(choice)]),
  );
  return written(rules, rule(name))!;
}

function written(rules: Rules, item: Item): string | undefined {
  return writeGrammar(rules, rules.add("answer", [[item]]));
}

const unsatisfiable = (path: string) =>
  invalidRequest(`Invalid value for '${path}': no finite value satisfies the schema.`, path);
