/** Limits the number of requests in flight. */
export class Inflight {
  readonly limit: number;
  /** Requests in flight in the gateway's other processes. */
  elsewhere = 0;
  /** Called with this process's count whenever it changes. */
  onChange: ((count: number) => void) | undefined;
  #count = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Acquires a slot; undefined if all are taken. */
  acquire(): InflightSlot | undefined {
    if (this.#count + this.elsewhere >= this.limit) return undefined;
    this.#change(1);
    let isTaken = true;
    return {
      release: () => {
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

/** A request's slot among the requests in flight. */
export interface InflightSlot {
  /** Only the first call counts. */
  release(): void;
}
