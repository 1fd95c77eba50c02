/** Interval at which the requests that have not moved yet are notified again, in milliseconds. */
const REPEAT_MS = 1_000;

/** Moves the remaining requests of a leaving member to other members once their time to finish has passed. */
export class Eviction {
  readonly #evict: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param evict asks the member's requests to move; those that cannot move stay */
  constructor(evict: () => void) {
    this.#evict = evict;
  }

  /** @param withinMs after how long requests move; a second call replaces the first */
  start(withinMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.start(REPEAT_MS);
      this.#evict();
    }, withinMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
