import type { EngineMember } from "../../models/members/engine-member.ts";
import type { WireJob } from "./job.ts";
import { isRetried } from "./statuses.ts";

/** What an answer of this status is to people, where it says that the engine is not well. */
export const statusReason = (status: number) => `The engine answered with status ${status}.`;

/**
 * Tells an engine's health what an answer has shown of it; once for each attempt that is answered. 429 says only that
 * the engine is busy: that is neither for nor against it.
 */
export function reportAnswer(
  worker: EngineMember,
  { method, path }: Pick<WireJob, "method" | "path">,
  status: number,
): void {
  if (status !== 429) {
    if (isRetried(status)) worker.reportFailure(statusReason(status), false);
    else worker.reportSuccess();
  }
  // 404 to a request that was sent for a model which the engine lists: it may have that no more.
  if (method === "POST" && (status === 404 || (status < 300 && CHANGES_MODELS.test(path))))
    worker.engine.rereadModels();
}

/** Paths by which clients have an engine load adapters and drop them. */
const CHANGES_MODELS = /^\/v1\/(un)?load_lora_adapter\b/;
