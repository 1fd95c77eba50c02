import { jittered } from "./engine-checks.ts";

/** Shortest interval between reads of an engine's models, in milliseconds. */
const MIN_INTERVAL_MS = 1_000;

/** Schedules reads of an engine's models: at an interval, and soon after a hint that they have changed. */
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

  /** A read has completed or failed. */
  onRead(): void {
    this.#readAt = performance.now();
    this.#dueAt = this.#readAt + jittered(this.#intervalMs);
  }

  /** The models may have changed. @returns whether the next read is now earlier */
  hasten(): boolean {
    const at = Math.max(performance.now(), this.#readAt + MIN_INTERVAL_MS);
    if (this.#dueAt <= at) return false;
    this.#dueAt = at;
    return true;
  }
}
