import type { Grammar } from "#runtime";
import { choiceGrammar, jsonObjectGrammar, regexGrammar, schemaGrammar } from "../../grammars/index.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import { jsonOf } from "../../kernel/json.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { ChatCompletionRequest, CompletionRequest } from "./schemas.ts";

export type StructuredFields = Pick<
  ChatCompletionRequest | CompletionRequest,
  | "response_format"
  | "structured_outputs"
  | "guided_json"
  | "guided_regex"
  | "guided_choice"
  | "guided_grammar"
>;

/**
 * The grammar to which an answer must keep.
 * @returns undefined if the answer is free
 * @throws ApiError 400 if there are several, or the model or a grammar cannot keep to it
 */
export function grammarOf(body: StructuredFields, model: WorkerSide): Grammar | undefined {
  const demand = demandOf(body);
  if (demand === undefined) return undefined;
  requireGrammars(model, demand.param.split(".")[0]!);
  return { gbnf: kept(JSON.stringify(demand), () => makeGrammar(demand)), after: [] };
}

/** What a request demands of its answer. @throws ApiError 400 if it is several things */
export function demandOf(body: StructuredFields): Demand | undefined {
  const [demand, other] = demandsOf(body);
  if (demand === undefined || other === undefined) return demand;
  throw invalidRequest(
    `'${demand.param}' and '${other.param}' cannot be combined: each says what the whole answer is. Leave one out.`,
    other.param,
  );
}

/** What a request demands of its answer, and the parameter that says so. */
export type Demand = { readonly param: string } & (
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "json_object" }
  | { readonly kind: "regex" | "grammar"; readonly value: string }
  | { readonly kind: "choice"; readonly value: readonly string[] }
);

function demandsOf({
  response_format: format,
  structured_outputs: outputs,
  ...body
}: StructuredFields): Demand[] {
  return [
    ...(format?.type === "json_object" ? [{ param: "response_format", kind: "json_object" } as const] : []),
    ...(format?.type === "json_schema"
      ? given("json", "response_format.json_schema.schema", format.json_schema?.schema)
      : []),
    ...given("json", "structured_outputs.json", outputs?.json),
    ...given("regex", "structured_outputs.regex", outputs?.regex),
    ...given("choice", "structured_outputs.choice", outputs?.choice),
    ...given("grammar", "structured_outputs.grammar", outputs?.grammar),
    ...(outputs?.json_object
      ? [{ param: "structured_outputs.json_object", kind: "json_object" } as const]
      : []),
    ...given("json", "guided_json", body.guided_json),
    ...given("regex", "guided_regex", body.guided_regex),
    ...given("choice", "guided_choice", body.guided_choice),
    ...given("grammar", "guided_grammar", body.guided_grammar),
  ];
}

const given = <Kind extends string, Value>(kind: Kind, param: string, value: Value | null | undefined) =>
  value === undefined || value === null ? [] : [{ kind, param, value }];

/** @throws ApiError 400 if the model's workers cannot keep to grammars */
export function requireGrammars({ card }: WorkerSide, param: string): void {
  if (card.features.grammar === true) return;
  throw invalidRequest(
    `The model '${card.name}' does not support '${param}': its engine cannot keep to a grammar. Leave it out, or use a model on llama.cpp workers.`,
    param,
    "unsupported_parameter",
  );
}

/** Most grammars that are kept: clients send the same few schemas again and again. */
const MOST_KEPT = 64;

/** Largest one that is kept, in characters. */
const LARGEST_KEPT = 100_000;

/** By their keys, the most recently used last. */
const grammars = new Map<string, string>();

/** The grammar of a key, made only if it is not kept. */
export function kept(key: string, make: () => string): string {
  const grammar = grammars.get(key) ?? make();
  grammars.delete(key);
  if (key.length + grammar.length <= LARGEST_KEPT) grammars.set(key, grammar);
  for (const oldest of grammars.keys()) {
    if (grammars.size <= MOST_KEPT) break;
    grammars.delete(oldest);
  }
  return grammar;
}

function makeGrammar(demand: Demand): string {
  const { param } = demand;
  switch (demand.kind) {
    case "json":
      return schemaGrammar(schemaOf(demand.value, param), param);
    case "json_object":
      return jsonObjectGrammar();
    case "regex":
      return regexGrammar(demand.value, param);
    case "choice":
      return choiceGrammar(demand.value, param);
    case "grammar":
      return demand.value;
  }
}

/** The schema, which clients also send as text. */
export function schemaOf(value: unknown, param: string): unknown {
  if (typeof value !== "string") return value;
  const schema = jsonOf(value);
  if (schema !== undefined) return schema;
  throw invalidRequest(`Invalid value for '${param}': it is not the text of a JSON schema.`, param);
}
