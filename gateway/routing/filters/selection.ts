const NONE: readonly number[] = [];

/** Which of the router core's workers a request may go to, by index. One object, used again for each request. */
export class Selection {
  /** The only one that will do. */
  only: number | undefined;
  /** The one to ask first, and the others only if it has no room. */
  preferred: number | undefined;
  #excluded: readonly number[] = NONE;
  #reluctant: readonly number[] = NONE;

  /** Workers that will not do. */
  get excluded(): readonly number[] {
    return this.#excluded;
  }

  /** Workers that are to be spared, unless no other one will do. */
  get reluctant(): readonly number[] {
    return this.#reluctant;
  }

  /** All will do again. */
  reset(): void {
    this.only = undefined;
    this.preferred = undefined;
    this.#excluded = NONE;
    this.#reluctant = NONE;
  }

  /** @param indices kept as they are where they are the first, so that a list that is there already costs nothing */
  exclude(indices: readonly number[]): void {
    this.#excluded = join(this.#excluded, indices);
  }

  /** Spares workers, unless no other one will do. */
  spare(indices: readonly number[]): void {
    this.#reluctant = join(this.#reluctant, indices);
  }
}

const join = (a: readonly number[], b: readonly number[]) =>
  a.length === 0 ? b : b.length === 0 ? a : [...a, ...b];
