import type { PlaneError } from "#runtime";
import type { ApiError } from "../../kernel/errors.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { AttemptFailure } from "../attempts.ts";
import type { Life } from "../life.ts";

/** Codes by which a worker takes no request that it has not begun. */
const REFUSALS = new Set(["draining", "overloaded"]);
/** Codes that say nothing about the worker. */
const BLAMELESS = new Set(["invalid_request", "deadline_exceeded"]);

/**
 * Tells a request's life how a call over the request plane has failed.
 * @param told what the client would be told
 * @param failure what it says of the worker; undefined where that had not begun to answer
 */
export function tellFailure(
  life: Life<WorkerMember>,
  error: PlaneError,
  told: ApiError,
  failure: AttemptFailure | undefined,
): void {
  if (failure === undefined && REFUSALS.has(error.code)) life.refuse(told);
  else if (BLAMELESS.has(error.code)) life.fail(told);
  else life.break({ reason: error.message, failure: failure ?? "lost", cause: error });
}
