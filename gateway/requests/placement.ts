import type { Member } from "../models/members/member.ts";
import type { PrefillHereReason } from "../routing/disaggregation/options.ts";
import type { Route } from "../routing/route.ts";

/** Where the router has sent a request. */
export interface Placement {
  /** The worker's short name. */
  readonly worker: string;
  readonly workerId: string;
  readonly dataParallelRank: number;
  readonly overlapBlocks: number;
  /** The name of the worker that computes the prompt, if it is another one. */
  readonly prefillWorker: string | undefined;
  /** The names of the encode workers that encoded media for it. */
  readonly encodeWorkers?: readonly string[] | undefined;
  /** Why this worker computes the prompt although there are prefill workers; otherwise undefined. */
  readonly prefillHere: PrefillHereReason | undefined;
  /** Whole blocks of the prompt. */
  readonly promptBlocks: number;
}

/** @param promptBlocks whole blocks of the request's prompt */
export function placementOf(
  { worker, rank, overlapBlocks, plan }: Route<Member>,
  promptBlocks: number,
): Placement {
  const { name, id } = worker.instance;
  return {
    worker: name,
    workerId: id,
    dataParallelRank: rank,
    overlapBlocks,
    prefillWorker: plan.prefill?.worker.instance.name,
    prefillHere: plan.prefillHere,
    promptBlocks,
  };
}
