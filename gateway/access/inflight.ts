/** How many requests are being answered at once, and how many may be. */
export class Inflight {
  readonly limit: number;
  #count = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Takes a place; undefined where all are taken. */
  take(): Place | undefined {
    if (this.#count >= this.limit) return undefined;
    this.#count++;
    let isTaken = true;
    return {
      leave: () => {
        if (isTaken) this.#count--;
        isTaken = false;
      },
    };
  }
}

/** One request's place among those that are being answered. */
export interface Place {
  /** Only the first time counts. */
  leave(): void;
}
