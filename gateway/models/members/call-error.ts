import type { PlaneError } from "#runtime";
import {
  type ApiError,
  type BoundTo,
  deadlineExceeded,
  invalidRequest,
  noWorkerReady,
  requestTimedOut,
  workerFailed,
} from "../../kernel/errors.ts";

/** What bounded a call in time. */
export interface CallBounds {
  model: string;
  /** The gateway's own limit, in milliseconds. */
  timeoutMs: number;
  /** The request's deadline, on the clock of `performance.now()`. */
  deadlineAt: number | undefined;
}

/**
 * What a client is told of a call that failed.
 * @param boundTo where the request could not go to just any worker
 */
export function callError(
  error: PlaneError,
  { model, timeoutMs, deadlineAt }: CallBounds,
  boundTo?: BoundTo,
): ApiError {
  switch (error.code) {
    case "deadline_exceeded":
      return deadlineAt !== undefined && performance.now() >= deadlineAt - CLOCK_SLACK_MS
        ? deadlineExceeded()
        : requestTimedOut(timeoutMs / 1000);
    case "invalid_request":
      return invalidRequest(error.message);
    case "overloaded":
    case "draining":
      return noWorkerReady(model, boundTo);
    default:
      return workerFailed(error, boundTo);
  }
}

/** The worker's clock may be this much ahead when it says that the time is over. */
const CLOCK_SLACK_MS = 50;

/** Milliseconds that a call may take from now on. */
export const timeLeft = ({ timeoutMs, deadlineAt }: CallBounds): number =>
  deadlineAt === undefined
    ? timeoutMs
    : Math.max(1, Math.min(timeoutMs, Math.ceil(deadlineAt - performance.now())));
