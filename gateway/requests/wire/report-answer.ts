import type { EngineMember } from "../../models/members/engine-member.ts";
import type { WireJob } from "./job.ts";
import { isRetryable } from "./statuses.ts";

/** The reason given in logs for a failure with this status. */
export const statusReason = (status: number) => `The engine answered with status ${status}.`;

/**
 * Reports an answer to the engine's circuit breaker, once per answered attempt. A 429 only says that the engine is
 * busy, and counts neither for nor against it.
 */
export function reportAnswer(
  worker: EngineMember,
  { method }: Pick<WireJob, "method">,
  status: number,
): void {
  if (status !== 429) {
    if (isRetryable(status)) worker.reportFailure(statusReason(status), false);
    else worker.reportSuccess();
  }
  // A 404 for a model that the engine listed: it may no longer have the model.
  if (method === "POST" && status === 404) worker.engine.rereadModels();
}
