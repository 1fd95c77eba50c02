import type { PlaneError, PlaneErrorCode } from "#runtime";
import type { ApiError } from "../../kernel/errors.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { AttemptFailure } from "../attempts.ts";
import type { Life } from "../life.ts";

/** Codes with which a worker puts off a request before it has begun, and what each such attempt counts as. */
const REFUSALS: ReadonlyMap<PlaneErrorCode, AttemptFailure> = new Map([
  ["overloaded", "answered"],
  // Many workers can leave at once.
  ["draining", "unsent"],
]);

/** Whether a worker has put off a request before it has begun. */
export const isRefusal = ({ code }: PlaneError): boolean => REFUSALS.has(code);

/**
 * Reports the failure of a request-plane call to the request's life.
 * @param clientError the error for the client
 * @param failure how the attempt failed; undefined if the worker had not begun to answer
 */
export function reportCallFailure(
  life: Life<WorkerMember>,
  error: PlaneError,
  clientError: ApiError,
  failure: AttemptFailure | undefined,
): void {
  const refusal = failure === undefined ? REFUSALS.get(error.code) : undefined;
  if (refusal !== undefined) life.refuse(clientError, refusal);
  // The worker is not to blame.
  else if (error.isRefusal || error.code === "deadline_exceeded") life.fail(clientError);
  else life.break({ reason: error.message, failure: failure ?? "lost", cause: error });
}
