/** Lets a limited number of requests in at once; the others wait in their order. */
export class Admission {
  readonly #most: number;
  readonly #queue: (() => void)[] = [];
  running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Waits for a place.
   * @returns gives the place back; undefined if the request was cancelled meanwhile
   */
  async enter(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined;
    if (this.running < this.#most) this.running++;
    else if (!(await this.#turn(signal))) return undefined;
    return () => {
      const next = this.#queue.shift();
      // It takes over the place.
      if (next === undefined) this.running--;
      else next();
    };
  }

  /** @returns whether it is this request's turn; false if it was cancelled */
  #turn(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const enter = () => {
        signal.removeEventListener("abort", leave);
        resolve(true);
      };
      const leave = () => {
        this.#queue.splice(this.#queue.indexOf(enter), 1);
        resolve(false);
      };
      this.#queue.push(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
