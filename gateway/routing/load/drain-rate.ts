/** Time constant of the rate in milliseconds. */
const WINDOW_MS = 10_000;

/** Returned before any request has ended. */
const FIRST_GUESS_SECONDS = 2;
const LONGEST_SECONDS = 60;

/** The rate at which requests end, as an exponentially decaying mean. */
export class DrainRate {
  /** Requests per millisecond, as of `#at`. */
  #rate = 0;
  #at = 0;
  #startedAt: number | undefined;

  /** A request has ended. */
  count(now: number): void {
    this.#rate = this.#decayed(now) + 1 / WINDOW_MS;
    this.#at = now;
    this.#startedAt ??= now;
  }

  /** For `retry-after`: seconds until this many requests will have ended, from 1 to 60. */
  secondsFor(requests: number, now: number): number {
    if (this.#startedAt === undefined) return FIRST_GUESS_SECONDS;
    // Corrects for the part of the window before the first request ended.
    const measuredMs = Math.max(1000, now - this.#startedAt);
    const rate = this.#decayed(now) / (1 - Math.exp(-measuredMs / WINDOW_MS));
    const seconds = Math.ceil(requests / rate / 1000);
    return Math.min(LONGEST_SECONDS, Math.max(1, seconds));
  }

  #decayed(now: number): number {
    return this.#rate * Math.exp((this.#at - now) / WINDOW_MS);
  }
}
