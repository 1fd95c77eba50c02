/** Start times that are remembered. */
const REMEMBERED = 64;

/**
 * The start times that have been told at an engine's address. One that comes back after another one was told means
 * that the address leads to several engines, as a load balancer's or a service's name does: none of them has been
 * started anew.
 */
export class EngineStarts {
  #known: number[] = [];
  #last: number | undefined;
  #hasReplicas = false;

  /** Whether several engines answer at the address. */
  get hasReplicas(): boolean {
    return this.#hasReplicas;
  }

  /**
   * Notes a start time, in seconds.
   * @returns whether an engine answers that was not known before; true where it does not tell
   */
  isNew(startedAt: number | undefined): boolean {
    if (startedAt === undefined) return true;
    const known = this.#known.find((each) => isSame(each, startedAt));
    if (known === undefined) this.#known = [...this.#known, startedAt].slice(-REMEMBERED);
    else if (known !== this.#last) this.#hasReplicas = true;
    this.#last = known ?? startedAt;
    return known === undefined;
  }
}

/** Clocks of start are steady; a small difference is rounding. */
const isSame = (one: number, other: number) => Math.abs(one - other) <= 1;
