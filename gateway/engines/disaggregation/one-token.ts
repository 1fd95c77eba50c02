import type { DividableRequest } from "./types.ts";

/** For each API, the fields that limit an answer; the first one is always set. */
const LIMITS: Readonly<Record<string, readonly string[] | undefined>> = {
  "/v1/chat/completions": ["max_tokens", "max_completion_tokens"],
  "/v1/completions": ["max_tokens"],
  "/v1/messages": ["max_tokens"],
  "/v1/responses": ["max_output_tokens"],
};

/** The APIs whose requests have one prompt and one answer, unless they say otherwise. */
export const COMPLETIONS: ReadonlySet<string> = new Set(["/v1/chat/completions", "/v1/completions"]);
export const CONVERSATIONS: ReadonlySet<string> = new Set(Object.keys(LIMITS));

/**
 * Why the request's KV blocks are not simply those of one prompt, as a clause; undefined if they are.
 * @param paths of the APIs that can be divided
 */
export function obstacleToOnePrompt(
  { path, body }: DividableRequest,
  paths: ReadonlySet<string>,
): string | undefined {
  if (!paths.has(path)) return `requests to ${path} are not divided`;
  const { n, best_of, prompt, echo, prompt_logprobs, use_beam_search, previous_response_id, background } =
    body;
  if (isAbove(n, 1) || isAbove(best_of, 1) || use_beam_search === true) return "it has several choices";
  if (Array.isArray(prompt) && prompt.length !== 1 && prompt.some((one) => typeof one !== "number"))
    return "it has several prompts";
  if (echo === true || isAbove(prompt_logprobs, -1)) return "it wants the prompt's log probabilities";
  if (isText(previous_response_id)) return "it continues an answer that one engine has stored";
  if (background === true) return "it runs in the background";
  return body.max_tokens === 0 ? "it wants no tokens" : undefined;
}

/**
 * Fields that make an engine compute the prompt and one token, unstreamed. What only shapes the answer is removed: a
 * single token would break its format, and some engines then fail.
 */
export function oneToken({ path, body }: DividableRequest): Record<string, unknown> {
  const [first = "max_tokens", ...others] = LIMITS[path] ?? [];
  const limits = [first, ...others.filter((name) => body[name] !== undefined)].map((name) => [name, 1]);
  const shape = ANSWER_FIELDS.map((field) => [field, undefined]);
  // Tools are part of the prompt; being forced to call one is not.
  const isForced =
    body.tool_choice === "required" || (typeof body.tool_choice === "object" && body.tool_choice !== null);
  return {
    ...Object.fromEntries([...shape, ...limits]),
    stream: false,
    ...(isForced && { tool_choice: path === "/v1/messages" ? { type: "none" } : "none" }),
    ...(path === "/v1/responses" && { store: false }),
  };
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
  "stop_sequences",
];

const isAbove = (value: unknown, bound: number) => typeof value === "number" && value > bound;
const isText = (value: unknown) => typeof value === "string" && value !== "";
