const NONE: readonly number[] = [];

/** The core indices of the workers to which a request may go. One object is reused for all requests. */
export class Selection {
  /** The only acceptable one. */
  only: number | undefined;
  /** The preferred one; others are used only if it has no capacity. */
  preferred: number | undefined;
  #excluded: readonly number[] = NONE;
  #avoided: readonly number[] = NONE;

  /** Workers that must not be chosen. */
  get excluded(): readonly number[] {
    return this.#excluded;
  }

  /** Workers to choose only if no other one is acceptable. */
  get avoided(): readonly number[] {
    return this.#avoided;
  }

  /** Allows all workers again. */
  reset(): void {
    this.only = undefined;
    this.preferred = undefined;
    this.#excluded = NONE;
    this.#avoided = NONE;
  }

  /** @param indices not copied if it is the first list, so that cached lists cost nothing */
  exclude(indices: readonly number[]): void {
    this.#excluded = join(this.#excluded, indices);
  }

  /** Avoids workers if any other one is acceptable. */
  avoid(indices: readonly number[]): void {
    this.#avoided = join(this.#avoided, indices);
  }
}

const join = (a: readonly number[], b: readonly number[]) =>
  a.length === 0 ? b : b.length === 0 ? a : [...a, ...b];
