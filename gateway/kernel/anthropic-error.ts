import type { ApiError } from "./errors.ts";

/** An error in Anthropic's format: the body of a response, and the data of an `error` event. */
export interface AnthropicError {
  readonly type: "error";
  readonly error: { readonly type: string; readonly message: string };
  readonly request_id: string;
}

/** https://docs.claude.com/en/api/errors */
const TYPES: Readonly<Record<number, string | undefined>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
};

export function anthropicError({ status, message }: ApiError, requestId: string): AnthropicError {
  const type = TYPES[status] ?? (status < 500 ? "invalid_request_error" : "api_error");
  return { type: "error", error: { type, message }, request_id: requestId };
}
