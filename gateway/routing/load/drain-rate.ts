/** Requests that count in the rate: those of about the last so many milliseconds. */
const WINDOW_MS = 10_000;

/** Where nothing has been measured yet. */
const FIRST_GUESS_SECONDS = 2;
const LONGEST_SECONDS = 60;

/** How many requests end in a second: a mean that forgets exponentially. */
export class DrainRate {
  /** Ends per millisecond, as of `#at`. */
  #rate = 0;
  #at = 0;
  #startedAt: number | undefined;

  /** A request has ended. */
  count(now: number): void {
    this.#rate = this.#decayed(now) + 1 / WINDOW_MS;
    this.#at = now;
    this.#startedAt ??= now;
  }

  /** For `retry-after`: whole seconds until so many requests will have ended, from 1 to 60. */
  secondsFor(requests: number, now: number): number {
    if (this.#startedAt === undefined) return FIRST_GUESS_SECONDS;
    // Until the window is full, what it would hold is more than what it does.
    const measuredMs = Math.max(1000, now - this.#startedAt);
    const rate = this.#decayed(now) / (1 - Math.exp(-measuredMs / WINDOW_MS));
    const seconds = Math.ceil(requests / rate / 1000);
    return Math.min(LONGEST_SECONDS, Math.max(1, seconds));
  }

  #decayed(now: number): number {
    return this.#rate * Math.exp((this.#at - now) / WINDOW_MS);
  }
}
