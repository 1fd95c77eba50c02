import type { RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** A part of a request's work. */
export type Phase = "prefill" | "decode";

/** Excludes workers whose role does not include the phase: for decode, those that only prefill or encode media. */
export class RoleFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;
  readonly #suits: (worker: Pick<RoutedWorker, "instance">) => boolean;
  #excluded: readonly number[] | undefined;

  constructor(context: FilterContext<Worker>, phase: Phase) {
    this.#context = context;
    this.#suits = phase === "decode" ? canDecode : isPrefillWorker;
  }

  narrow(selection: Selection): void {
    this.#excluded ??= this.#context.workers.indicesWhere(({ worker }) => !this.#suits(worker));
    selection.exclude(this.#excluded);
  }

  refresh(): void {
    this.#excluded = undefined;
  }
}

/**
 * The role that is missing although workers are ready: decode workers, or the prefill workers without which none of the decode
 * workers can answer. Undefined if a request can be answered, or no worker is ready.
 */
export function missingRole(workers: Iterable<RoutedWorker>): "prefill" | "decode" | undefined {
  let [areReady, canPrefill, needsPrefill] = [false, false, false];
  for (const worker of workers) {
    if (!worker.isReady) continue;
    areReady = true;
    if (answersAlone(worker)) return undefined;
    if (isPrefillWorker(worker)) canPrefill = true;
    if (canDecode(worker)) needsPrefill = true;
  }
  if (needsPrefill) return canPrefill ? undefined : "prefill";
  return areReady ? "decode" : undefined;
}

/** Whether all ready workers only encode media for others. */
export function allEncode(workers: Iterable<RoutedWorker>): boolean {
  for (const worker of workers) if (worker.isReady && !isEncodeWorker(worker)) return false;
  return true;
}

/** Whether all ready workers that answer need a prefill worker for it. */
export function allNeedPrefill(workers: Iterable<RoutedWorker>): boolean {
  let found = false;
  for (const worker of workers) {
    if (!worker.isReady || !canDecode(worker)) continue;
    if (answersAlone(worker)) return false;
    found = true;
  }
  return found;
}

/** Whether the worker's role allows it to answer requests. */
export const canDecode = ({ instance }: Pick<RoutedWorker, "instance">): boolean =>
  instance.card.role === "aggregated" || instance.card.role === "decode";

/** Whether the worker answers requests, and computes their prompts itself if no other one does. */
export const answersAlone = (worker: Pick<RoutedWorker, "instance">): boolean =>
  canDecode(worker) && worker.instance.card.needsPrefill !== true;

/** Whether the worker encodes media for those that compute prompts. */
export const isEncodeWorker = ({ instance }: Pick<RoutedWorker, "instance">): boolean =>
  instance.card.role === "encode";

/** Whether the worker computes prompts for decode workers. */
export const isPrefillWorker = ({ instance }: Pick<RoutedWorker, "instance">): boolean =>
  instance.card.role === "prefill";
