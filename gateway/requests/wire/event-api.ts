import { anthropicError } from "../../kernel/anthropic-error.ts";
import type { ApiError } from "../../kernel/errors.ts";
import { event } from "./event-text.ts";

/** APIs whose event streams are inspected: the data of every event is a JSON object. */
export type EventApi = "chat" | "completions" | "messages" | "responses";

/** Whether a complete stream of this API ends with `[DONE]`. */
export const endsWithDone = (api: EventApi | undefined) => api === "chat" || api === "completions";

/**
 * The error event that ends a broken stream of this API.
 * @param tail the last part of what was sent before
 * @param next the number of the error's event if nothing was sent
 */
export function errorEvent(
  api: EventApi | undefined,
  error: ApiError,
  { requestId, tail, next = 0 }: { requestId: string; tail: string; next?: number },
): string {
  switch (api) {
    case "messages":
      return event(JSON.stringify(anthropicError(error, requestId)), "error");
    case "responses":
      return event(JSON.stringify(responsesError(error, tail, next)), "error");
    default:
      return event(JSON.stringify(error));
  }
}

/**
 * https://platform.openai.com/docs/api-reference/responses-streaming/error. OpenAI's clients throw only if there is a
 * field `error`, as in other streams; without it, they take the answer for complete.
 */
function responsesError(error: ApiError, tail: string, next: number) {
  const { code, message, param } = error;
  const last = [...tail.matchAll(/"sequence_number"\s*:\s*(\d+)/g)].at(-1);
  const sequenceNumber = last === undefined ? next : Number(last[1]) + 1;
  return { type: "error", sequence_number: sequenceNumber, code, message, param, ...error.toJSON() };
}
