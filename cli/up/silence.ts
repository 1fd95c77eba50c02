/** How long a process has given no sign of life, by the time for which this one was awake to notice. */
export class Silence {
  readonly #stepMs: number;
  #lastLook = performance.now();
  #ms = 0;

  /** @param stepMs between two looks */
  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  /** It has given one. */
  end(): void {
    this.#ms = 0;
  }

  /** Looks at the clock, as is to be done every step. @returns milliseconds of silence */
  look(): number {
    const now = performance.now();
    // Whoever comes late has slept, and so may have the other: Ctrl-Z, `docker pause`, a machine that stood still.
    this.#ms += Math.min(now - this.#lastLook, 1.5 * this.#stepMs);
    this.#lastLook = now;
    return this.#ms;
  }
}
