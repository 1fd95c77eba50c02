import { jittered } from "./engine-checks.ts";

/** Shortest time between two times that an engine's models are read, in milliseconds. */
const LEAST_MS = 1_000;

/** When an engine's models are to be read: again and again, and soon where somebody says that they have changed. */
export class ModelSchedule {
  readonly #intervalMs: number;
  #readAt = 0;
  #dueAt = 0;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** On the clock of `performance.now()`. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** They have been read, or it was tried. */
  onRead(): void {
    this.#readAt = performance.now();
    this.#dueAt = this.#readAt + jittered(this.#intervalMs);
  }

  /** They may have changed. @returns whether they are to be read sooner than before */
  hasten(): boolean {
    const at = Math.max(performance.now(), this.#readAt + LEAST_MS);
    if (this.#dueAt <= at) return false;
    this.#dueAt = at;
    return true;
  }
}
