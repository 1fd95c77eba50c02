import type { RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** Excludes workers whose role does not include decode: those that only prefill or encode media. */
export class RoleFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;
  #excluded: readonly number[] | undefined;

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  narrow(selection: Selection): void {
    this.#excluded ??= this.#context.workers.indicesWhere(({ worker }) => !canDecode(worker));
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
