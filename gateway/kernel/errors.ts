import type { CardFault, Instance } from "#runtime";

/** The kinds of error that OpenAI's API names in `error.type`. */
export type ApiErrorType =
  | "invalid_request_error"
  | "not_found_error"
  | "authentication_error"
  | "permission_error"
  | "rate_limit_error"
  | "server_error"
  | "timeout_error"
  | "service_unavailable_error";

/** An error as a client sees it: an HTTP status and OpenAI's `{"error": {…}}` body. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: ApiErrorType;
  /** Path of the parameter at fault, such as `messages[0].content`; null where there is none. */
  readonly param: string | null;
  /** Stable word for programs, such as `context_length_exceeded`; null where there is none. */
  readonly code: string | null;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    type: ApiErrorType,
    message: string,
    details: {
      param?: string | null;
      code?: string | null;
      headers?: Record<string, string>;
      cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ApiError";
    this.status = status;
    this.type = type;
    this.param = details.param ?? null;
    this.code = details.code ?? null;
    this.headers = details.headers ?? {};
  }

  /** The response body, also used as the last event of a stream that breaks. */
  toJSON(): { error: { message: string; type: ApiErrorType; param: string | null; code: string | null } } {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }
}

export const invalidRequest = (message: string, param: string | null = null, code = "invalid_value") =>
  new ApiError(400, "invalid_request_error", message, { param, code });

export const contextLengthExceeded = (message: string, param: string) =>
  new ApiError(400, "invalid_request_error", message, { param, code: "context_length_exceeded" });

/** What a request is bound to by what it says itself, for errors: `one` names a single worker. */
export interface BoundTo {
  readonly one: boolean;
  /** Such as `the worker 'llama-0', which it names`. */
  readonly text: string;
}

/** @param boundTo where the request could not go to just any worker of the model */
export const noWorkerReady = (model: string, boundTo?: BoundTo) =>
  new ApiError(
    503,
    "service_unavailable_error",
    `${
      boundTo === undefined
        ? `No worker that serves the model '${model}' is ready.`
        : `No worker of the model '${model}' is ready for this request, which can only go to ${boundTo.text}.`
    } Try again in a few seconds; /health shows the workers' state.`,
    { code: "no_worker_ready", headers: { "retry-after": "2" } },
  );

/** Every worker that would do is busy. `seconds`: until one is likely to have room. */
export const serverBusy = (model: string, seconds: number) =>
  refused(
    "server_busy",
    `Every worker that could answer this request to the model '${model}' is busy.`,
    seconds,
  );

export const queueFull = (model: string, waiting: number, seconds: number) =>
  refused(
    "queue_full",
    `The queue of the model '${model}' is full: ${waiting} requests wait for a worker.`,
    seconds,
  );

/** Every place in the queue is one of this request's own: to try again is of no use. */
export const tooManyForQueue = (model: string, limit: number) =>
  new ApiError(
    503,
    "service_unavailable_error",
    `This request asks the model '${model}' for more answers at once than have room: all ${limit} places of the queue (--queue-limit) are taken by its own. Send it in parts.`,
    { code: "queue_full" },
  );

/** The request waited, and gave up its place to one of a higher priority. */
export const displaced = (model: string, seconds: number) =>
  refused(
    "queue_displaced",
    `The queue of the model '${model}' is full, and requests of higher priority go first.`,
    seconds,
  );

export const queueTimedOut = (model: string, waitedSeconds: number, seconds: number) =>
  refused(
    "queue_timeout",
    `No worker of the model '${model}' that could answer this request had room within ${waitedSeconds} s, this server's limit (--queue-timeout).`,
    seconds,
  );

const refused = (code: string, sentence: string, seconds: number) =>
  new ApiError(503, "service_unavailable_error", `${sentence} Try again in ${seconds} s.`, {
    code,
    headers: { "retry-after": String(seconds) },
  });

export const deadlineExceeded = () =>
  new ApiError(
    504,
    "timeout_error",
    "The answer was not complete within the request's own deadline (deadline_ms). Give it more time, or ask for fewer tokens.",
    { code: "deadline_exceeded" },
  );

export const workerFailed = (cause: unknown, boundTo?: BoundTo) =>
  new ApiError(
    502,
    "server_error",
    `The worker that was answering this request failed. Send the request again; it ${
      boundTo?.one ? `can only go to ${boundTo.text}` : "will go to another worker"
    }.`,
    { code: "worker_failed", cause, headers: { "retry-after": "1" } },
  );

/** A worker's answer has a token that its model does not have. */
export const foreignToken = (
  worker: string,
  token: number,
  { name, vocabularySize }: { readonly name: string; readonly vocabularySize: number },
) =>
  new ApiError(
    502,
    "server_error",
    `The worker '${worker}' answered with the token id ${token}, but the vocabulary of the model '${name}' ends at ${vocabularySize - 1}. Its engine and its model card do not belong together: tell whoever runs it.`,
    { code: "token_out_of_vocabulary", cause: "a token id that is not in the vocabulary" },
  );

/** An attached engine's fault. */
export const engineFailed = (cause: unknown, boundTo?: BoundTo) =>
  new ApiError(
    502,
    "server_error",
    boundTo?.one
      ? `The engine that was answering this request failed, and it can only go to ${boundTo.text}. Send it again in a moment.`
      : "The engine that was answering this request failed, and no other one could take over. Send the request again; /health shows the engines' state.",
    { code: "engine_failed", cause, headers: { "retry-after": "1" } },
  );

export const requestTimedOut = (seconds: number) =>
  new ApiError(
    504,
    "timeout_error",
    `The answer was not complete within ${seconds} s, this server's limit. Ask for fewer tokens, or raise --request-timeout.`,
    { code: "request_timeout" },
  );

/** The process that knows the engines has gone, and this one is about to. */
export const gatewayStops = () =>
  new ApiError(
    503,
    "service_unavailable_error",
    "The gateway is being stopped. Try again in a few seconds.",
    {
      code: "gateway_stops",
      headers: { "retry-after": "2" },
    },
  );

/** The client left before it had an answer; nobody reads this, but logs and metrics tell it from a failure. */
export const clientLeft = () =>
  new ApiError(499, "invalid_request_error", "The client closed the connection.", { code: "client_closed" });

/** Turns anything thrown into an ApiError; what is not one already becomes a 500 that tells no internals. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(
    500,
    "server_error",
    "The gateway failed to handle this request. Its log has the details under the request id.",
    { code: "internal_error", cause: error },
  );
}

/** What a worker's model card says is not so. */
export class WrongCard extends Error {
  readonly fault: CardFault;
  /** Whose card it is, where only that one was looked at. */
  readonly instance: Instance | undefined;

  constructor(fault: CardFault, instance?: Instance) {
    super(`'${fault.field}' is wrong: ${fault.reason}`);
    this.name = "WrongCard";
    this.fault = fault;
    this.instance = instance;
  }
}
