const TICK_MS = 1_000;

/**
 * Notices when this process stands still, suspended or busy: for that time, what has already arrived has not been read, and
 * is older than it seems.
 */
export class StoppedTime implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  #lastTick = performance.now();
  #stoppedMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** By how much older than it seems something that has just been read may be, in milliseconds. */
  get ms(): number {
    return this.#stoppedMs + Math.max(0, performance.now() - this.#lastTick - TICK_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    this.#stoppedMs += Math.max(0, now - this.#lastTick - TICK_MS);
    this.#lastTick = now;
  }
}
