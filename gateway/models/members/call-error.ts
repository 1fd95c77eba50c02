import type { PlaneError } from "#runtime";
import {
  type ApiError,
  type BoundTo,
  contextLengthExceeded,
  deadlineExceeded,
  invalidRequest,
  noWorkerReady,
  requestTimedOut,
  workerFailed,
} from "../../kernel/errors.ts";

/** The time limits of a call. */
export interface CallBounds {
  model: string;
  /** The gateway's timeout, in milliseconds. */
  timeoutMs: number;
  /** The request's deadline, on the clock of `performance.now()`. */
  deadlineAt: number | undefined;
}

/**
 * The error for the client of a failed call.
 * @param boundTo given if the request could not go to any worker
 * @param isMidway whether the answer had begun
 */
export function callError(
  error: PlaneError,
  { model, timeoutMs, deadlineAt }: CallBounds,
  boundTo?: BoundTo,
  isMidway = false,
): ApiError {
  switch (error.code) {
    case "deadline_exceeded":
      return deadlineAt !== undefined && performance.now() >= deadlineAt - CLOCK_SLACK_MS
        ? deadlineExceeded()
        : requestTimedOut(timeoutMs / 1000);
    case "invalid_request":
      return invalidRequest(error.message);
    case "invalid_media":
      return invalidRequest(error.message, null, "invalid_media");
    case "context_length_exceeded":
      return contextLengthExceeded(error.message, null);
    case "overloaded":
    case "draining":
      return noWorkerReady(model, boundTo);
    default:
      return workerFailed(error, boundTo, isMidway);
  }
}

/** How much earlier than here the deadline may expire at the worker. */
const CLOCK_SLACK_MS = 50;

/** The milliseconds left for a call. */
export const timeLeft = ({ timeoutMs, deadlineAt }: CallBounds): number =>
  deadlineAt === undefined
    ? timeoutMs
    : Math.max(1, Math.min(timeoutMs, Math.ceil(deadlineAt - performance.now())));
