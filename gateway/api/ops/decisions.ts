import type { Context } from "hono";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import type { LocalModel } from "../../models/local-model.ts";
import type { DecidedCandidate, DecidedWorker, DecisionRecord } from "../../routing/decisions.ts";
import type { OpsDependencies } from "../dependencies.ts";
import { refuseUnknownQuery } from "./query.ts";

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1000;

/** `GET /v1/router/decisions?model=&limit=`: newest first. */
export function listDecisions(context: Context, { models }: OpsDependencies): Response {
  refuseUnknownQuery(context, ["model", "limit"]);
  const limit = readLimit(context.req.query("limit"));
  const data = models
    .select(context.req.query("model"))
    .flatMap((routed) => routed.router.decisions.list(limit).map((record) => describe(record, routed)))
    .sort((a, b) => b.time.localeCompare(a.time))
    .slice(0, limit);
  return context.json({ object: "list", data });
}

/** `GET /v1/router/decisions/{request_id}`: one per answer and retry. */
export function decisionsOf(context: Context, { models }: OpsDependencies, requestId: string): Response {
  refuseUnknownQuery(context, []);
  const data = models
    .all()
    .flatMap((routed) => routed.router.decisions.of(requestId).map((record) => describe(record, routed)));
  if (data.length > 0) return context.json({ object: "list", data });
  throw new ApiError(
    404,
    "not_found_error",
    `There is no decision for the request '${requestId.slice(0, 128)}': only each model's most recent ones are kept (--decision-log).`,
    { param: "request_id", code: "decision_not_found" },
  );
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw invalidRequest(`Invalid value for 'limit': must be an integer from 1 to ${MAX_LIMIT}.`, "limit");
}

function describe(record: DecisionRecord, { name: model, router }: LocalModel) {
  const { chosen, prefill, reportedCachedTokens } = record;
  const { blockSize, policy } = router;
  return {
    request_id: record.requestId,
    time: new Date(record.time).toISOString(),
    model,
    policy,
    outcome: record.outcome,
    reason: record.reason ?? null,
    worker: chosen === undefined ? null : describeWorker(chosen),
    prefill_worker:
      prefill === undefined ? null : { ...describeWorker(prefill), overlap_blocks: prefill.overlapBlocks },
    prefill_here: record.prefillHere ?? null,
    prompt_tokens: record.promptTokens,
    prompt_blocks: Math.floor(record.promptTokens / blockSize),
    block_size: blockSize,
    overlap_blocks: record.overlapBlocks,
    only_predicted_blocks: record.predictedBlocks,
    host_blocks: record.hostBlocks,
    disk_blocks: record.diskBlocks,
    cost: record.cost,
    predicted_cached_tokens: record.overlapBlocks * blockSize,
    reported_cached_tokens: reportedCachedTokens ?? null,
    queue_wait_ms: Math.round(record.queuedMs * 1000) / 1000,
    busy_workers: record.busyWorkers,
    candidates: record.candidates.map(describeCandidate),
    prefill_candidates: record.prefillCandidates.map(describeCandidate),
  };
}

const describeCandidate = ({ overlapBlocks, prefill, decode, total, ...worker }: DecidedCandidate) => ({
  ...describeWorker(worker),
  overlap_blocks: overlapBlocks,
  prefill,
  decode,
  total,
});

const describeWorker = ({ name, id, rank }: DecidedWorker) => ({ name, id, rank });
