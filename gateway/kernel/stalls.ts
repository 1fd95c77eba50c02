const TICK_MS = 250;
/** How late a tick may be on a busy machine without counting as a stall. */
const TOLERANCE_MS = 250;

/**
 * Measures when this process did not run: because of a long computation, Ctrl-Z or a suspended machine. What arrived
 * meanwhile stayed unread, so it is older than it seems, and its sender is not to blame. Each user has a timer of its
 * own, because workerd ends a timer together with the request that started it.
 */
export class Stalls {
  readonly #windowMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #lastTick = performance.now();
  #stalls: { readonly until: number; readonly ms: number }[] = [];

  /** @param windowMs how long a stall counts after its end; default: until `close` */
  constructor(windowMs = Number.POSITIVE_INFINITY) {
    this.#windowMs = windowMs;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    // In some runtimes, it is a number.
    this.#timer.unref?.();
  }

  /** Milliseconds of stalls, including one that has just ended; up to a tick too many for each. */
  get ms(): number {
    this.#tick();
    return this.#stalls.reduce((sum, { ms }) => sum + ms, 0);
  }

  /** Milliseconds of the longest of them. */
  get longestMs(): number {
    this.#tick();
    return this.#stalls.reduce((longest, { ms }) => Math.max(longest, ms), 0);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const ms = now - this.#lastTick;
    this.#lastTick = now;
    if (ms > TICK_MS + TOLERANCE_MS) this.#stalls.push({ until: now, ms });
    if (this.#stalls.length > 0)
      this.#stalls = this.#stalls.filter(({ until }) => until > now - this.#windowMs);
  }
}
