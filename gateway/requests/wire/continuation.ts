import { VLLM_FIELDS } from "../../engines/structured-output.ts";
import { isRecord } from "../../kernel/json.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { PartialAnswer } from "./partial-answer.ts";

/** The APIs whose broken answers another engine can continue. */
export type ContinuedApi = "chat" | "completions";

/** What another engine needs to continue a broken stream. */
export interface Continuation {
  readonly api: ContinuedApi;
  /** The client's request. */
  readonly body: PromptBody;
  /** The field that constrains the answer to a grammar, which an engine cannot resume in the middle. */
  readonly grammar: string | undefined;
}

/** @returns undefined if the request shows that its stream cannot be continued */
export function continuationOf(api: ContinuedApi, body: PromptBody): Continuation | undefined {
  return obstacleOf(api, body) === undefined ? { api, body, grammar: grammarOf(body) } : undefined;
}

/** Fields that constrain an answer to a grammar in vLLM, SGLang, TensorRT-LLM and llama.cpp. */
const GRAMMAR_FIELDS = [
  ...VLLM_FIELDS,
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

/** How many choices a complete answer to a request has. */
export function choicesOf({ n, prompt }: PromptBody): number {
  const each = typeof n === "number" && n > 1 ? n : 1;
  const prompts = Array.isArray(prompt) && prompt.some((one) => typeof one !== "number") ? prompt.length : 1;
  return each * prompts;
}

/** Why an answer to this request could not be continued, for logs; undefined if the request shows no obstacle. */
export function obstacleOf(api: ContinuedApi, body: PromptBody): string | undefined {
  if (body.stream !== true) return "it is not streamed";
  if (isNumberAbove(body.n, 1) || isNumberAbove(body.best_of, 1)) return "it has several choices";
  if (body.use_beam_search === true) return "it uses beam search";
  if (api === "chat") return Array.isArray(body.messages) ? undefined : "it has no messages";
  if (body.echo === true) return "it echoes the prompt";
  return promptOf(body) === undefined ? "its prompt is not a single text" : undefined;
}

/**
 * The request to continue a partial answer: the chat with the answer as its last message, or the prompt followed by
 * the answer.
 * @param tokens length of the partial answer
 * @returns undefined if the answer has reached its token limit
 */
export function continuedBody(
  api: ContinuedApi,
  given: PromptBody,
  { text }: PartialAnswer,
  tokens: number,
): Record<string, unknown> | undefined {
  const body = withoutRoundedSeed(given);
  if (text === "") return { ...body };
  const limits = remainingLimits(body, tokens);
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

/** Drops a seed that parsing has rounded: rounded up, the largest 64-bit seed is more than engines accept. */
function withoutRoundedSeed(body: PromptBody): PromptBody {
  const { seed, ...rest } = body;
  return typeof seed !== "number" || Number.isSafeInteger(seed) ? body : rest;
}

function withPartialAnswer({ messages, continue_final_message }: PromptBody, text: string): unknown[] {
  const all: unknown[] = Array.isArray(messages) ? messages : [];
  const last: unknown = all.at(-1);
  // The request itself continues an answer, which is longer now.
  if (continue_final_message === true && isRecord(last) && typeof last.content === "string")
    return [...all.slice(0, -1), { ...last, content: last.content + text }];
  return [...all, { role: "assistant", content: text }];
}

const LIMITS = ["max_tokens", "max_completion_tokens"];

/** The body's token limits minus the answer so far; undefined if nothing remains. */
function remainingLimits(body: PromptBody, tokens: number): Record<string, number> | undefined {
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

/** The prompt of a text completion; undefined if it is not a single text. */
function promptOf({ prompt }: PromptBody): string | undefined {
  const one: unknown = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt;
  return typeof one === "string" ? one : undefined;
}

const isNumberAbove = (value: unknown, bound: number) => typeof value === "number" && value > bound;
