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

/** Whether workers are ready, but none of them can answer requests. */
export function lackDecode(workers: Iterable<RoutedWorker>): boolean {
  let areReady = false;
  for (const worker of workers) {
    if (!worker.isReady) continue;
    if (canDecode(worker)) return false;
    areReady = true;
  }
  return areReady;
}

/** Whether the worker's role allows it to answer requests. */
export const canDecode = ({ instance }: Pick<RoutedWorker, "instance">): boolean =>
  instance.card.role === "aggregated" || instance.card.role === "decode";

/** Whether the worker computes prompts for decode workers. */
export const isPrefillWorker = ({ instance }: Pick<RoutedWorker, "instance">): boolean =>
  instance.card.role === "prefill";
