/** Measures how long another process has been unresponsive, not counting time while this one was suspended. */
export class Silence {
  readonly #stepMs: number;
  #measuredAt = performance.now();
  #ms = 0;

  /** @param stepMs the time between two calls of `measure` */
  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  /** Call this at each sign of life. */
  reset(): void {
    this.#ms = 0;
  }

  /** Call this every step. @returns milliseconds of silence */
  measure(): number {
    const now = performance.now();
    // A late call means that this process was suspended, and maybe the other one too: Ctrl-Z, `docker pause`.
    this.#ms += Math.min(now - this.#measuredAt, 1.5 * this.#stepMs);
    this.#measuredAt = now;
    return this.#ms;
  }
}
