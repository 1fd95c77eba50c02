import { isRecord } from "../../prompts/json.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { PartialAnswer } from "./partial-answer.ts";

/** The APIs whose broken answers another engine can continue. */
export type ContinuedApi = "chat" | "completions";

/** How a broken stream goes on elsewhere. */
export interface Continuation {
  readonly api: ContinuedApi;
  /** The client's request. */
  readonly body: PromptBody;
  /** The field by which the answer follows a grammar: it cannot be entered in the middle. */
  readonly grammar: string | undefined;
}

/** @returns undefined where the stream cannot be continued, as far as the request says */
export function continuationOf(api: ContinuedApi, body: PromptBody): Continuation | undefined {
  return obstacleOf(api, body) === undefined ? { api, body, grammar: grammarOf(body) } : undefined;
}

/** Fields by which vLLM, SGLang, TensorRT-LLM and llama.cpp hold an answer to a grammar. */
const GRAMMAR_FIELDS = [
  "structured_outputs",
  "guided_json",
  "guided_regex",
  "guided_choice",
  "guided_grammar",
  "guided_decoding",
  "grammar",
  "json_schema",
  "regex",
  "ebnf",
  "structural_tag",
];

function grammarOf(body: PromptBody): string | undefined {
  const { response_format, tool_choice } = body;
  if (isRecord(response_format) && response_format.type !== "text") return "response_format";
  if (tool_choice === "required" || isRecord(tool_choice)) return "tool_choice";
  return GRAMMAR_FIELDS.find((field) => body[field] !== undefined && body[field] !== null);
}

/** How many choices a whole answer to a request has. */
export function choicesOf({ n, prompt }: PromptBody): number {
  const each = typeof n === "number" && n > 1 ? n : 1;
  const prompts = Array.isArray(prompt) && prompt.some((one) => typeof one !== "number") ? prompt.length : 1;
  return each * prompts;
}

/**
 * Whether an answer to this request could be continued at all, as far as the request says.
 * @returns the obstacle, for people; undefined where there is none
 */
export function obstacleOf(api: ContinuedApi, body: PromptBody): string | undefined {
  if (body.stream !== true) return "it is not streamed";
  if (isNumberAbove(body.n, 1) || isNumberAbove(body.best_of, 1)) return "it has several choices";
  if (body.use_beam_search === true) return "it is a beam search";
  if (api === "chat") return Array.isArray(body.messages) ? undefined : "it has no messages";
  if (body.echo === true) return "its prompt is echoed";
  return promptOf(body) === undefined ? "its prompt is not one text" : undefined;
}

/**
 * The request that goes on where the client's answer stops: the chat with the partial answer as its last message,
 * or the prompt with the text behind it.
 * @param tokens how many tokens the partial answer has
 * @returns undefined where the answer may not get any longer
 */
export function continuedBody(
  api: ContinuedApi,
  given: PromptBody,
  { text }: PartialAnswer,
  tokens: number,
): Record<string, unknown> | undefined {
  const body = withoutRoundedSeed(given);
  if (text === "") return { ...body };
  const limits = lessTokens(body, tokens);
  if (limits === undefined) return undefined;
  if (api === "completions") return { ...body, ...limits, prompt: `${promptOf(body)}${text}` };
  return {
    ...body,
    ...limits,
    messages: withPartialAnswer(body, text),
    continue_final_message: true,
    add_generation_prompt: false,
  };
}

/** A seed of 64 bits, which reading it as a number has rounded: the largest would be more than engines take. */
function withoutRoundedSeed(body: PromptBody): PromptBody {
  const { seed, ...rest } = body;
  return typeof seed !== "number" || Number.isSafeInteger(seed) ? body : rest;
}

function withPartialAnswer({ messages, continue_final_message }: PromptBody, text: string): unknown[] {
  const all: unknown[] = Array.isArray(messages) ? messages : [];
  const last: unknown = all.at(-1);
  // The request itself was to continue an answer: it has got longer.
  if (continue_final_message === true && isRecord(last) && typeof last.content === "string")
    return [...all.slice(0, -1), { ...last, content: last.content + text }];
  return [...all, { role: "assistant", content: text }];
}

const LIMITS = ["max_tokens", "max_completion_tokens"];

/** The body's limits, less what the answer has already; undefined where nothing is left. */
function lessTokens(body: PromptBody, tokens: number): Record<string, number> | undefined {
  const limits: Record<string, number> = {};
  for (const name of LIMITS) {
    const limit = body[name];
    if (typeof limit !== "number") continue;
    if (limit <= tokens) return undefined;
    limits[name] = limit - tokens;
  }
  if (typeof body.min_tokens === "number") limits.min_tokens = Math.max(0, body.min_tokens - tokens);
  return limits;
}

/** The prompt of a text completion, where it is one text. */
function promptOf({ prompt }: PromptBody): string | undefined {
  const one: unknown = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt;
  return typeof one === "string" ? one : undefined;
}

const isNumberAbove = (value: unknown, bound: number) => typeof value === "number" && value > bound;
