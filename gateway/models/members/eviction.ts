/** How often requests that have not found another member are told again, in milliseconds. */
const REPEAT_MS = 1_000;

/** Makes the requests of a member that is leaving move to other members, once the time to end by themselves is over. */
export class Eviction {
  readonly #evict: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param evict asks the member's requests to move; those that cannot, stay */
  constructor(evict: () => void) {
    this.#evict = evict;
  }

  /** @param withinMs how long requests may still run; an earlier end replaces a later one */
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
