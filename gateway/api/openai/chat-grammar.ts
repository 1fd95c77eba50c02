import type { Grammar } from "#runtime";
import {
  type CallsOptions,
  callsGrammar,
  type ReasoningTexts,
  reasoningGrammar,
  writtenCallsGrammar,
} from "../../grammars/index.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import { json } from "../../parsers/tools/json.ts";
import type { ToolFormat } from "../../parsers/types.ts";
import {
  type Demand,
  demandOf,
  grammarOf,
  kept,
  requireGrammars,
  type StructuredFields,
  schemaOf,
} from "./structured-output.ts";
import type { AllowedCalls } from "./tool-choice.ts";

/** How an answer with calls is made to have its form. */
export interface ChatGrammar {
  readonly grammar: Grammar | undefined;
  /** How the calls are then written. */
  readonly toolFormat: ToolFormat | undefined;
}

/**
 * The grammar of a chat's answer: for calls that are demanded or strict, and for structured output.
 * @param before the end of the reasoning within which the answer begins, or the reasoning with which it may begin
 * @throws ApiError 400 if the model or a grammar cannot keep to what is demanded
 */
export function chatGrammar(
  model: WorkerSide,
  calls: AllowedCalls,
  structured: StructuredFields,
  before: string | ReasoningTexts | undefined,
): ChatGrammar {
  const { toolFormat } = model;
  const demand = demandOf(structured);
  if (calls.tools.size === 0 || (!calls.isRequired && demand === undefined && !isStrict(model, calls)))
    return { grammar: withReasoning(grammarOf(structured, model), before), toolFormat };
  const parallel = !calls.isSingle;
  const tools = [...calls.tools.values()];
  if (!calls.isRequired && demand === undefined) {
    const syntax = toolFormat!.syntax!;
    const key = JSON.stringify(["strict", tools, syntax, parallel]);
    const gbnf = kept(key, () => writtenCallsGrammar(tools, syntax, { parallel }));
    return { grammar: { gbnf, after: [...syntax.begins] }, toolFormat };
  }
  requireGrammars(model, calls.isRequired ? "tool_choice" : demand!.param.split(".")[0]!);
  const answer = demand === undefined ? undefined : answerOf(demand);
  const options = { parallel, answer: calls.isRequired ? undefined : answer };
  const key = JSON.stringify(["calls", tools, options]);
  const gbnf = kept(key, () => callsGrammar(tools, options));
  return { grammar: withReasoning({ gbnf, after: [] }, before), toolFormat: json };
}

/** The grammar of the answer with what may be, or is, before it. */
function withReasoning(
  grammar: Grammar | undefined,
  before: string | ReasoningTexts | undefined,
): Grammar | undefined {
  if (grammar === undefined || before === undefined) return grammar;
  if (typeof before === "string") return { ...grammar, after: [before] };
  return { ...grammar, gbnf: reasoningGrammar(grammar.gbnf, before) };
}

/** Whether calls that the model may choose to make must match their schemas, and can be made to. */
const isStrict = ({ card, toolFormat }: WorkerSide, { tools }: AllowedCalls): boolean =>
  card.features.grammar === true &&
  toolFormat?.syntax !== undefined &&
  [...tools.values()].some(({ isStrict }) => isStrict === true);

/** What the answer may be if nothing is called. */
function answerOf(demand: Demand): CallsOptions["answer"] {
  const { param } = demand;
  if (demand.kind === "json_object") return "object";
  if (demand.kind === "json") return { schema: schemaOf(demand.value, param), path: param };
  throw invalidRequest(
    `'${param}' and 'tools' cannot be combined. Leave one out, or set 'tool_choice' to 'none'.`,
    param,
  );
}
