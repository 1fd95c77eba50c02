import type { RoutedWorker, Workers } from "../workers.ts";

/** Sets of tags whose lists are kept. Clients choose the sets, so that there is an end to them. */
const MAX_SETS = 1000;

/** Which workers a request's tags rule out. The list of each set is kept until a worker comes or goes. */
export class TagFilter<Worker extends RoutedWorker> {
  readonly #workers: Workers<Worker>;
  readonly #excluded = new Map<string, readonly number[]>();

  constructor(workers: Workers<Worker>) {
    this.#workers = workers;
  }

  /** Core indices of all workers that lack one of the tags. */
  excludedBy(tags: readonly string[]): readonly number[] {
    const key = tags.join("\n");
    let excluded = this.#excluded.get(key);
    if (excluded === undefined) {
      excluded = this.#workers.roster.flatMap((slot) =>
        slot === undefined || hasAll(slot.worker, tags) ? [] : [slot.index],
      );
      if (this.#excluded.size >= MAX_SETS) this.#excluded.clear();
      this.#excluded.set(key, excluded);
    }
    return excluded;
  }

  /** The workers have changed. */
  clear(): void {
    this.#excluded.clear();
  }
}

export const hasAll = ({ instance }: Pick<RoutedWorker, "instance">, tags: readonly string[]) =>
  tags.every((tag) => instance.card.tags?.includes(tag));

/** Every tag of any of the workers, sorted. */
export const tagsOf = (workers: readonly RoutedWorker[]) =>
  [...new Set(workers.flatMap(({ instance }) => instance.card.tags ?? []))].sort();
