import type { Member } from "../models/members/member.ts";
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
  /** Whole blocks of the prompt. */
  readonly promptBlocks: number;
}

/** @param promptBlocks whole blocks of the request's prompt */
export function placementOf(
  { worker, rank, overlapBlocks, plan }: Route<Member>,
  promptBlocks: number,
): Placement {
  const { name, id } = worker.instance;
  const prefillWorker = plan.prefill?.worker.instance.name;
  return { worker: name, workerId: id, dataParallelRank: rank, overlapBlocks, prefillWorker, promptBlocks };
}
