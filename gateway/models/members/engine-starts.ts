/** Most start times that are remembered. */
const REMEMBERED = 64;

/**
 * The start times reported at an engine's address. If one returns after another was reported, the address leads to
 * several engines, like that of a load balancer or a service, and none of them has restarted.
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
   * Records a start time, in seconds.
   * @returns whether it is from a new engine process; true if there is no start time
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

/** A start time is constant; a small difference is rounding. */
const isSame = (one: number, other: number) => Math.abs(one - other) <= 1;
