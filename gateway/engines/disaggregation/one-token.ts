import type { DividableRequest } from "./types.ts";

const COMPLETIONS = new Set(["/v1/chat/completions", "/v1/completions"]);

/** Why the answer's KV blocks are not simply those of one prompt, as a clause; undefined if they are. */
export function obstacleToOnePrompt({ path, body }: DividableRequest): string | undefined {
  if (!COMPLETIONS.has(path)) return `requests to ${path} are not divided`;
  const { n, best_of, prompt, echo, prompt_logprobs, use_beam_search } = body;
  if (isAbove(n, 1) || isAbove(best_of, 1) || use_beam_search === true) return "it has several choices";
  if (Array.isArray(prompt) && prompt.length !== 1 && prompt.some((one) => typeof one !== "number"))
    return "it has several prompts";
  if (echo === true || isAbove(prompt_logprobs, -1)) return "it wants the prompt's log probabilities";
  if (body.max_tokens === 0) return "it wants no tokens";
  return undefined;
}

/**
 * Fields that make an engine compute the prompt and one token, unstreamed. What only shapes the answer is removed: a
 * single token would break its format, and some engines then fail.
 */
export function oneToken(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const limits = body.max_completion_tokens === undefined ? {} : { max_completion_tokens: 1 };
  const shape = Object.fromEntries(ANSWER_FIELDS.map((field) => [field, undefined]));
  // Tools are part of the prompt; being forced to call one is not.
  const forced = body.tool_choice === "required" || typeof body.tool_choice === "object";
  return { ...shape, ...limits, max_tokens: 1, stream: false, ...(forced && { tool_choice: "none" }) };
}

const ANSWER_FIELDS = [
  "stream_options",
  "min_tokens",
  "logprobs",
  "top_logprobs",
  "response_format",
  "structured_outputs",
  "guided_json",
  "guided_regex",
  "guided_choice",
  "guided_grammar",
  "stop",
];

const isAbove = (value: unknown, bound: number) => typeof value === "number" && value > bound;
