import { toApiError } from "../kernel/errors.ts";
import type { Member } from "../models/members/member.ts";
import type { ModelSide } from "../models/model.ts";

/**
 * Why no other member continues a broken answer, as a clause for logs.
 * @param refusal the router's answer to the search for one
 */
export function whyNotContinued<Worker extends Member>(
  refusal: Error,
  model: Pick<ModelSide<Worker>, "kind" | "others">,
): string {
  const { code, message } = toApiError(refusal);
  if (code !== "no_worker_ready") return message;
  const { none, others } = OBSTACLES[model.kind];
  return model.others().some(({ isReady }) => isReady) ? `${none}; ${others}` : none;
}

/** What travels to workers and engines differs: tokens, and HTTP bytes. */
const OBSTACLES = {
  engine: {
    none: "no other engine that could continue it is ready",
    others: "the model's workers are, but cannot continue an engine's answer",
  },
  worker: {
    none: "no other worker is ready",
    others: "the model's engines are, but cannot continue a worker's answer",
  },
};
