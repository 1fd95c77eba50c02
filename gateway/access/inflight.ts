/** How many requests are being answered at once, and how many may be. */
export class Inflight {
  readonly limit: number;
  /** Those that other processes of the same gateway are answering. */
  elsewhere = 0;
  /** Told of each change of those that this process is answering. */
  onChange: ((count: number) => void) | undefined;
  #count = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Takes a place; undefined where all are taken. */
  take(): Place | undefined {
    if (this.#count + this.elsewhere >= this.limit) return undefined;
    this.#change(1);
    let isTaken = true;
    return {
      leave: () => {
        if (isTaken) this.#change(-1);
        isTaken = false;
      },
    };
  }

  #change(by: 1 | -1): void {
    this.#count += by;
    this.onChange?.(this.#count);
  }
}

/** One request's place among those that are being answered. */
export interface Place {
  /** Only the first time counts. */
  leave(): void;
}
