import { anthropicError } from "../../kernel/anthropic-error.ts";
import type { ApiError } from "../../kernel/errors.ts";
import { event } from "./event-text.ts";

/** APIs whose event streams are known here: every event's data is a JSON object. */
export type EventApi = "chat" | "completions" | "messages" | "responses";

/** Whether such a stream is whole only with OpenAI's last event. */
export const endsWithDone = (api: EventApi | undefined) => api === "chat" || api === "completions";

/**
 * The event by which a stream of this API says that it has broken off.
 * @param tail the last part of what was sent before it
 */
export function errorEvent(
  api: EventApi | undefined,
  error: ApiError,
  { requestId, tail }: { requestId: string; tail: string },
): string {
  switch (api) {
    case "messages":
      return event(JSON.stringify(anthropicError(error, requestId)), "error");
    case "responses":
      return event(JSON.stringify(responsesError(error, tail)), "error");
    default:
      return event(JSON.stringify(error));
  }
}

/**
 * https://platform.openai.com/docs/api-reference/responses-streaming/error. OpenAI's clients throw only where there is
 * a field `error`, as other streams have it, and would take the answer for complete without.
 */
function responsesError(error: ApiError, tail: string) {
  const { code, message, param } = error;
  const last = [...tail.matchAll(/"sequence_number"\s*:\s*(\d+)/g)].at(-1);
  const sequenceNumber = last === undefined ? 0 : Number(last[1]) + 1;
  return { type: "error", sequence_number: sequenceNumber, code, message, param, ...error.toJSON() };
}
