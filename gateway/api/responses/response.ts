import { ApiError } from "../../kernel/errors.ts";
import type { AnswerEnd, Usage } from "../../requests/tokens/job.ts";
import { conversationIdOf } from "../conversations/id.ts";
import type { OutputItem } from "./items.ts";
import type { ResponsesRequest } from "./schemas.ts";

export type ResponseStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled";

/** A response as clients see it: https://platform.openai.com/docs/api-reference/responses/object */
export interface ResponseObject {
  readonly id: string;
  readonly object: "response";
  readonly created_at: number;
  readonly status: ResponseStatus;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly incomplete_details: { readonly reason: string } | null;
  readonly model: string;
  readonly output: readonly OutputItem[];
  readonly conversation: { readonly id: string } | null;
  readonly previous_response_id: string | null;
  readonly usage: object | null;
  readonly [field: string]: unknown;
}

/** A response that has just begun. */
export function newResponse(
  id: string,
  model: string,
  createdAt: number,
  body: ResponsesRequest,
): ResponseObject {
  return {
    id,
    object: "response",
    created_at: createdAt,
    status: "in_progress",
    background: body.background ?? false,
    conversation: conversationOf(body),
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: null,
    model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: body.reasoning?.summary ?? null },
    safety_identifier: null,
    service_tier: "default",
    store: body.store !== false,
    temperature: body.temperature ?? 1,
    text: { format: body.text?.format ?? { type: "text" } },
    tool_choice: body.tool_choice ?? "auto",
    tools: (body.tools ?? []).map((tool) =>
      tool.type === "namespace"
        ? tool
        : { ...tool, parameters: tool.parameters ?? null, strict: tool.strict ?? false },
    ),
    top_logprobs: body.top_logprobs ?? 0,
    top_p: body.top_p ?? 1,
    truncation: body.truncation ?? "disabled",
    usage: null,
    user: body.user ?? null,
    metadata: body.metadata ?? {},
  };
}

function conversationOf({ conversation }: ResponsesRequest) {
  const id = conversationIdOf(conversation);
  return id === undefined ? null : { id };
}

/** The response at its end. */
export function endedResponse(
  response: ResponseObject,
  output: readonly OutputItem[],
  finishReason: AnswerEnd,
  usage: Usage,
): ResponseObject {
  const isCut = finishReason === "length";
  return {
    ...response,
    status: isCut ? "incomplete" : "completed",
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    output,
    usage: usageObject(usage),
  };
}

export const failedResponse = (
  response: ResponseObject,
  output: readonly OutputItem[],
  { code, message }: ApiError,
): ResponseObject => ({
  ...response,
  status: "failed",
  error: { code: code ?? "server_error", message },
  output,
});

/** A response in progress whose maker has ended. */
export const unfinished = (response: ResponseObject): ResponseObject =>
  failedResponse(response, response.output, makerEnded());

/** Ends the events of a response that is deleted while they are followed. */
export const deletedMeanwhile = (id: string) =>
  new ApiError(404, "invalid_request_error", `The response '${id}' was deleted while it was being made.`, {
    code: "response_not_found",
  });

/** Ends the events of an answer whose maker has ended. */
export const makerEnded = () =>
  new ApiError(
    503,
    "service_unavailable_error",
    "The gateway that made this answer has ended. Send the request again.",
    { code: "server_error" },
  );

const usageObject = ({ promptTokens, completionTokens, cachedTokens, reasoningTokens }: Usage) => ({
  input_tokens: promptTokens,
  input_tokens_details: { cached_tokens: cachedTokens },
  output_tokens: completionTokens,
  output_tokens_details: { reasoning_tokens: reasoningTokens ?? 0 },
  total_tokens: promptTokens + completionTokens,
});
