const TICK_MS = 250;
/** How late a tick may be on a busy machine without counting as a stall. */
const TOLERANCE_MS = 250;

/**
 * Measures when this process did not run: because of a long computation, Ctrl-Z or a suspended machine. Clients' data
 * stayed unread meanwhile, so that time must not count against them.
 */
export class Stalls {
  readonly #windowMs: number;
  readonly #timer: NodeJS.Timeout;
  #lastTick = performance.now();
  #stalls: { readonly until: number; readonly ms: number }[] = [];

  /** @param windowMs how long a stall counts after its end */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Milliseconds of recent stalls. */
  get ms(): number {
    this.#tick();
    return this.#stalls.reduce((sum, { ms }) => sum + ms, 0);
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
