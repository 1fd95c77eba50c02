import type { Grammar } from "#runtime";
import { choiceGrammar, jsonObjectGrammar, regexGrammar, schemaGrammar } from "../../grammars/index.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { ChatCompletionRequest, CompletionRequest } from "./schemas.ts";

type StructuredFields = Pick<
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
 * @param after texts one of which precedes what must keep to it, such as the end of the model's reasoning
 * @returns undefined if the answer is free
 * @throws ApiError 400 if there are several, or the model or a grammar cannot keep to it
 */
export function grammarOf(
  body: StructuredFields,
  model: WorkerSide,
  after: readonly string[] = [],
): Grammar | undefined {
  const [demand, other] = demandsOf(body);
  if (demand === undefined) return undefined;
  if (other !== undefined)
    throw invalidRequest(
      `'${demand.param}' and '${other.param}' cannot be combined: each says what the whole answer is. Leave one out.`,
      other.param,
    );
  requireGrammars(model, demand);
  return { gbnf: grammarFor(demand), after: [...after] };
}

/** What a request demands of its answer, and the parameter that says so. */
type Demand = { readonly param: string } & (
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
      ? demandOf("json", "response_format.json_schema.schema", format.json_schema?.schema)
      : []),
    ...demandOf("json", "structured_outputs.json", outputs?.json),
    ...demandOf("regex", "structured_outputs.regex", outputs?.regex),
    ...demandOf("choice", "structured_outputs.choice", outputs?.choice),
    ...demandOf("grammar", "structured_outputs.grammar", outputs?.grammar),
    ...(outputs?.json_object
      ? [{ param: "structured_outputs.json_object", kind: "json_object" } as const]
      : []),
    ...demandOf("json", "guided_json", body.guided_json),
    ...demandOf("regex", "guided_regex", body.guided_regex),
    ...demandOf("choice", "guided_choice", body.guided_choice),
    ...demandOf("grammar", "guided_grammar", body.guided_grammar),
  ];
}

const demandOf = <Kind extends string, Value>(kind: Kind, param: string, value: Value | null | undefined) =>
  value === undefined || value === null ? [] : [{ kind, param, value }];

function requireGrammars({ card }: WorkerSide, { param }: Demand): void {
  if (card.features.grammar === true) return;
  const name = param.split(".")[0]!;
  throw invalidRequest(
    `The model '${card.name}' does not support '${name}': its engine cannot keep to a grammar. Leave it out, or use a model on llama.cpp workers.`,
    name,
    "unsupported_parameter",
  );
}

/** Most grammars that are kept: clients send the same few schemas again and again. */
const MOST_KEPT = 64;

/** Largest one that is kept, in characters. */
const LARGEST_KEPT = 100_000;

/** By the demand, the most recently used last. */
const kept = new Map<string, string>();

function grammarFor(demand: Demand): string {
  const key = JSON.stringify(demand);
  const grammar = kept.get(key) ?? makeGrammar(demand);
  kept.delete(key);
  if (key.length + grammar.length <= LARGEST_KEPT) kept.set(key, grammar);
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_KEPT) break;
    kept.delete(oldest);
  }
  return grammar;
}

function makeGrammar(demand: Demand): string {
  const { param } = demand;
  switch (demand.kind) {
    case "json":
      return schemaGrammar(
        typeof demand.value === "string" ? parsed(demand.value, param) : demand.value,
        param,
      );
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

function parsed(text: string, param: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidRequest(`Invalid value for '${param}': it is not the text of a JSON schema.`, param);
  }
}
