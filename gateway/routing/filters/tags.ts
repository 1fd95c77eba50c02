import type { RouteRequest } from "../route.ts";
import type { RoutedWorker } from "../workers.ts";
import type { Filter, FilterContext } from "./filter.ts";
import type { Selection } from "./selection.ts";

/** How many sets of tags are cached. This is bounded because clients choose the sets. */
const MAX_SETS = 1000;

/** Excludes workers that lack one of the request's tags. The list for each set is cached until the workers change. */
export class TagFilter<Worker extends RoutedWorker> implements Filter<Worker> {
  readonly #context: FilterContext<Worker>;
  readonly #excluded = new Map<string, readonly number[]>();

  constructor(context: FilterContext<Worker>) {
    this.#context = context;
  }

  narrow(selection: Selection, { preferences: { tags } }: RouteRequest<Worker>): void {
    if (tags.length > 0) selection.exclude(this.#excludedBy(tags));
  }

  refresh(): void {
    this.#excluded.clear();
  }

  /** Core indices of all workers that lack one of the tags. */
  #excludedBy(tags: readonly string[]): readonly number[] {
    const key = tags.join("\n");
    let excluded = this.#excluded.get(key);
    if (excluded === undefined) {
      excluded = this.#context.workers.indicesWhere(({ worker }) => !hasAll(worker, tags));
      if (this.#excluded.size >= MAX_SETS) this.#excluded.clear();
      this.#excluded.set(key, excluded);
    }
    return excluded;
  }
}

export const hasAll = ({ instance }: Pick<RoutedWorker, "instance">, tags: readonly string[]) =>
  tags.every((tag) => instance.card.tags?.includes(tag));

/** Every tag of any of the workers, sorted. */
export const tagsOf = (workers: readonly RoutedWorker[]) =>
  [...new Set(workers.flatMap(({ instance }) => instance.card.tags ?? []))].sort();
