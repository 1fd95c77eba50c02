/** Requests whose outcomes are looked at together. */
const WINDOW = 20;
/** Share of them that may fail. */
const TOLERATED_SHARE = 0.4;
/** Requests that an engine must answer, after it was set aside, before it is trusted as before. */
const PROBATION = 5;

export interface RequestHealthOptions {
  /** Requests that fail in a row before the engine is set aside. */
  readonly failuresInRow: number;
  /** How long it is set aside the first time, in milliseconds; each further time twice as long. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

/**
 * Judges an engine by what becomes of its requests: a circuit breaker. It opens after some failures in a row, or when
 * too many of the last ones failed, and for a while at the first failure after it has closed again.
 */
export class RequestHealth {
  readonly #options: RequestHealthOptions;
  /** Whether each of the last requests failed, the oldest being overwritten first. */
  readonly #outcomes = new Uint8Array(WINDOW);
  #seen = 0;
  #failed = 0;
  #inRow = 0;
  /** Times that it was set aside without having been well for long in between. */
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

  /** @returns whether the engine is better set aside */
  onFailure(): boolean {
    this.#inRow++;
    this.#note(1);
    const isOutlier = this.#seen >= WINDOW && this.#failed > WINDOW * TOLERATED_SHARE;
    return this.#probation > 0 || isOutlier || this.#inRow >= this.#options.failuresInRow;
  }

  /** It was set aside. @returns for how long, in milliseconds */
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
