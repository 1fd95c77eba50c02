import type { CardFault, Instance } from "#runtime";

/** The values of `error.type` in OpenAI's API. */
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
  /** Path of the invalid parameter, such as `messages[0].content`, or null. */
  readonly param: string | null;
  /** Stable code for programs, such as `context_length_exceeded`, or null. */
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

  /** The response body, also used as the last event of a failed stream. */
  toJSON(): { error: { message: string; type: ApiErrorType; param: string | null; code: string | null } } {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }
}

export const invalidRequest = (message: string, param: string | null = null, code = "invalid_value") =>
  new ApiError(400, "invalid_request_error", message, { param, code });

export const contextLengthExceeded = (message: string, param: string | null) =>
  new ApiError(400, "invalid_request_error", message, { param, code: "context_length_exceeded" });

/** The workers to which a request is bound by its preferences, for errors. */
export interface BoundTo {
  /** Whether it is a single worker. */
  readonly one: boolean;
  /** For example, `the worker 'llama-0', which it names`. */
  readonly text: string;
}

/** @param boundTo given if the request could not go to any worker of the model */
export const noWorkerReady = (model: string, boundTo?: BoundTo) =>
  new ApiError(
    503,
    "service_unavailable_error",
    `${
      boundTo === undefined
        ? `No worker of the model '${model}' is ready.`
        : `No worker of the model '${model}' is ready for this request, which can only go to ${boundTo.text}.`
    } Try again in a few seconds; /health shows the workers' state.`,
    { code: "no_worker_ready", headers: { "retry-after": "2" } },
  );

/** Members of the model are ready, but not all roles that it takes to answer. */
export const roleMissing = (model: string, role: "prefill" | "decode") =>
  new ApiError(
    503,
    "service_unavailable_error",
    `The model '${model}' has no ${role} worker: its ready workers ${
      role === "decode"
        ? "only do other parts of the work, and cannot answer"
        : "only decode, and need one that computes the prompts"
    }. Try again once a ${role} worker has joined; /health shows the workers' roles.`,
    { code: "no_worker_ready", headers: { "retry-after": "2" } },
  );

/** All ready members of the model have the role `encode`. */
export const onlyEncoders = (model: string) =>
  new ApiError(
    503,
    "service_unavailable_error",
    `The workers of the model '${model}' only encode media for others (role 'encode'); none of them answers requests. Name another model, or try again once a worker that answers has joined; /health shows the workers' roles.`,
    { code: "no_worker_ready", headers: { "retry-after": "2" } },
  );

/** The model's engines only answer requests that a prefill engine has begun, and this one cannot be divided. */
export const notDividable = (model: string) =>
  new ApiError(
    400,
    "invalid_request_error",
    `The engines of the model '${model}' only answer what can be divided between prefill and decode: chats and completions with one prompt and one choice. Ask for one, or have its operator attach an engine without a role.`,
    { code: "not_dividable" },
  );

/** Every eligible worker is busy. `seconds`: until one is likely to have capacity. */
export const serverBusy = (model: string, seconds: number) =>
  refused(
    "server_busy",
    `Every worker that could answer this request to the model '${model}' is busy.`,
    seconds,
  );

/** This process has no open files, ports or memory left for a connection to a member. */
export const gatewayExhausted = (cause: unknown) =>
  new ApiError(
    503,
    "service_unavailable_error",
    "The gateway has no open files or ports left for this request. Try again in a few seconds; its operator should raise the limit of open files (ulimit -n).",
    { code: "server_busy", cause, headers: { "retry-after": "1" } },
  );

export const queueFull = (model: string, waiting: number, seconds: number) =>
  refused(
    "queue_full",
    `The queue of the model '${model}' is full: ${waiting} requests are waiting for a worker.`,
    seconds,
  );

/** This request alone fills the queue, so retrying is useless. */
export const tooManyForQueue = (model: string, limit: number) =>
  new ApiError(
    503,
    "service_unavailable_error",
    `This request asks the model '${model}' for more answers at once than fit: it fills all ${limit} places of the queue (--queue-limit) itself. Split it into several requests.`,
    { code: "queue_full" },
  );

/** The request was displaced from the queue by one of higher priority. */
export const displaced = (model: string, seconds: number) =>
  refused(
    "queue_displaced",
    `The queue of the model '${model}' is full, and requests with a higher priority go first.`,
    seconds,
  );

export const queueTimedOut = (model: string, waitedSeconds: number, seconds: number) =>
  refused(
    "queue_timeout",
    `No worker of the model '${model}' had capacity for this request within ${waitedSeconds} s, this server's limit (--queue-timeout).`,
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

/** @param isMidway whether it failed in the middle of its answer */
export const workerFailed = (cause: unknown, boundTo?: BoundTo, isMidway = false) =>
  new ApiError(
    502,
    "server_error",
    `The worker that was answering this request failed${isMidway ? NOT_CONTINUED : ""}. Send the request again${
      boundTo?.one ? `; it can only go to ${boundTo.text}` : isMidway ? "" : "; it will go to another worker"
    }.`,
    { code: "worker_failed", cause, headers: { "retry-after": "1" } },
  );

const NOT_CONTINUED = " in the middle of its answer, which was not continued elsewhere";

/** A worker's answer has a token outside its model's vocabulary. */
export const unknownToken = (
  worker: string,
  token: number,
  { name, vocabularySize }: { readonly name: string; readonly vocabularySize: number },
) =>
  new ApiError(
    502,
    "server_error",
    `The worker '${worker}' answered with the token id ${token}, but the vocabulary of the model '${name}' ends at ${vocabularySize - 1}. Its engine does not match its model card: tell its operator.`,
    { code: "token_out_of_vocabulary", cause: "a token id that is not in the vocabulary" },
  );

/**
 * What becomes of a request whose engine failed: other engines were tried; none was, because it may have had effects;
 * or its answer had begun.
 */
export type EngineFailure = "retried" | "unrepeatable" | "midway";

const AFTER_FAILURE: Readonly<Record<EngineFailure, string>> = {
  retried: ", and no other engine could take over. Send the request again; /health shows the engines' state.",
  unrepeatable:
    ". It may have acted on the request, which therefore went to no other engine. Check that before you send it again.",
  midway: `${NOT_CONTINUED}. Send the request again; the gateway's log says why.`,
};

/** An attached engine failed. */
export const engineFailed = (cause: unknown, boundTo?: BoundTo, failure: EngineFailure = "retried") =>
  new ApiError(
    502,
    "server_error",
    `The engine that was answering this request failed${
      boundTo?.one
        ? `, and the request can only go to ${boundTo.text}. Send it again in a moment.`
        : AFTER_FAILURE[failure]
    }`,
    { code: "engine_failed", cause, headers: { "retry-after": "1" } },
  );

export const requestTimedOut = (seconds: number) =>
  new ApiError(
    504,
    "timeout_error",
    `The answer was not complete within ${seconds} s, this server's limit. Ask for fewer tokens, or raise --request-timeout.`,
    { code: "request_timeout" },
  );

/** The gateway is shutting down, or its router process has exited. */
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

/** The client disconnected before it had an answer; only logs and metrics show this. */
export const clientLeft = () =>
  new ApiError(499, "invalid_request_error", "The client closed the connection.", { code: "client_closed" });

/** Turns anything thrown into an ApiError; anything else becomes a 500 that reveals no internals. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(
    500,
    "server_error",
    "The gateway failed to handle this request. Its log has the details under the request id.",
    { code: "internal_error", cause: error },
  );
}

/** A worker's model card turns out to be invalid. */
export class InvalidCardError extends Error {
  readonly fault: CardFault;
  /** The worker, if the card is known to be its own. */
  readonly instance: Instance | undefined;

  constructor(fault: CardFault, instance?: Instance) {
    super(`'${fault.field}' is invalid: ${fault.reason}`);
    this.name = "InvalidCardError";
    this.fault = fault;
    this.instance = instance;
  }
}
