/** The most recent requests that are considered. */
const WINDOW = 20;
/** Share of them that may fail. */
const TOLERATED_SHARE = 0.4;
/** Requests that an engine must answer after it was set aside before it is fully trusted again. */
const PROBATION = 5;

export interface RequestHealthOptions {
  /** Consecutive failed requests before the engine is set aside. */
  readonly consecutiveFailures: number;
  /** How long it is set aside the first time, in milliseconds; doubled each further time. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

/**
 * Judges an engine by the outcomes of its requests: a circuit breaker. It opens after consecutive failures or when
 * too many recent requests failed, and, for a while after it has closed, at the first failure.
 */
export class RequestHealth {
  readonly #options: RequestHealthOptions;
  /** Ring buffer: whether each of the last requests failed. */
  readonly #outcomes = new Uint8Array(WINDOW);
  #seen = 0;
  #failed = 0;
  #inRow = 0;
  /** How often it was set aside without recovering in between. */
  #trips = 0;
  #probation = 0;

  constructor(options: RequestHealthOptions) {
    this.#options = options;
  }

  onSuccess(): void {
    this.#inRow = 0;
    this.#note(0);
    if (this.#probation === 0) return;
    this.#probation--;
    if (this.#probation === 0) this.#trips = 0;
  }

  /** @returns whether the engine should be set aside */
  onFailure(): boolean {
    this.#inRow++;
    this.#note(1);
    const isOutlier = this.#seen >= WINDOW && this.#failed > WINDOW * TOLERATED_SHARE;
    return this.#probation > 0 || isOutlier || this.#inRow >= this.#options.consecutiveFailures;
  }

  /** Opens the breaker. @returns for how long, in milliseconds */
  trip(): number {
    const { firstPauseMs, longestPauseMs } = this.#options;
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#trips);
    this.#trips++;
    this.#probation = PROBATION;
    this.#inRow = 0;
    this.#seen = 0;
    this.#failed = 0;
    this.#outcomes.fill(0);
    return pause;
  }

  #note(failed: 0 | 1): void {
    const index = this.#seen % WINDOW;
    if (this.#seen >= WINDOW) this.#failed -= this.#outcomes[index]!;
    this.#outcomes[index] = failed;
    this.#failed += failed;
    this.#seen++;
  }
}
