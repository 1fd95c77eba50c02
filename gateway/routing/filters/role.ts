import type { RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** Excludes workers whose card says that they do not decode, such as those for prefill or for encoding media alone. */
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

/** Whether the worker's role lets it answer requests. */
export const canDecode = ({ instance }: Pick<RoutedWorker, "instance">): boolean =>
  instance.card.role === "aggregated" || instance.card.role === "decode";
