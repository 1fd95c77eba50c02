/** Requests in a row that must agree before a cause is named. */
const PERSISTENT = 20;
/** Of these, how many an over-prediction must be seen in. */
const MOSTLY = 15;

/** Why a worker's cache is not what the router thinks. */
export type DriftCause = "events-missing" | "block-size" | "never-matches" | "removals-lost";

/** What people are told of each cause: the likely reason, and what to look at. */
export const DRIFT_ADVICE: Record<DriftCause, string> = {
  "events-missing":
    "the engine takes prompts from its cache, but no KV event has ever come: turn its KV events on, and check the address that they are published on",
  "block-size":
    "its KV events have blocks of another size than its card says, so none can be matched: give engine and card the same block size",
  "never-matches":
    "its KV events never match the prompts that its engine has cached: tokens or salt (LoRA name, cache namespace) differ between gateway and engine",
  "removals-lost":
    "it is believed to hold blocks that its engine does not find: removals were lost, or the engine clears its cache without telling",
};

/** One finished request of a worker, as the router predicted it and as the engine reported it. */
export interface Outcome {
  /** When the decision was made, on the clock of `performance.now()`. */
  readonly decidedAt: number;
  readonly predictedBlocks: number;
  readonly reportedBlocks: number;
}

/**
 * Compares, for one worker, the router's predictions with the engine's reports, and says when they differ for so
 * long that something is wrong. A request that neither expected nor found anything cached says nothing. A single
 * one may differ for good reasons: the same prompt was in flight already, or a block was evicted in between.
 */
export class DriftDetector {
  #storedEvents = 0;
  #foreignBlockSize = 0;
  #misses = 0;
  /** When the last request that counts as a miss had ended: what was decided before that adds no evidence. */
  #lastMissAt = Number.NEGATIVE_INFINITY;
  #compared = 0;
  #over = 0;
  #cause: DriftCause | undefined;

  /** The cause of the episode that goes on now. */
  get cause(): DriftCause | undefined {
    return this.#cause;
  }

  /** Block size of the events, where it is not the card's; 0 where none has come. */
  get foreignBlockSize(): number {
    return this.#foreignBlockSize;
  }

  onStored(): void {
    this.#storedEvents++;
  }

  /** An event came whose blocks are of another size than the card's. */
  onForeignBlocks(blockSize: number): void {
    this.#foreignBlockSize = blockSize;
  }

  /** @returns the cause, when an episode begins with this request */
  observe({ decidedAt, predictedBlocks, reportedBlocks }: Outcome, now: number): DriftCause | undefined {
    if (predictedBlocks === 0 && reportedBlocks === 0) return undefined;
    this.#countMiss(predictedBlocks > 0, decidedAt, now);
    this.#countOver(predictedBlocks > reportedBlocks + 1);
    const before = this.#cause;
    this.#cause = this.#judge();
    return before === undefined ? this.#cause : undefined;
  }

  #countMiss(wasPredicted: boolean, decidedAt: number, now: number): void {
    if (wasPredicted) this.#misses = 0;
    else if (decidedAt >= this.#lastMissAt) {
      this.#misses++;
      this.#lastMissAt = now;
    }
  }

  /** Over the last requests: each one older weighs less, and together they weigh as much as `PERSISTENT`. */
  #countOver(isOver: boolean): void {
    const keep = this.#compared < PERSISTENT ? 1 : 1 - 1 / PERSISTENT;
    this.#over = this.#over * keep + (isOver ? 1 : 0);
    this.#compared++;
  }

  #judge(): DriftCause | undefined {
    if (this.#misses >= PERSISTENT) {
      if (this.#foreignBlockSize > 0) return "block-size";
      return this.#storedEvents === 0 ? "events-missing" : "never-matches";
    }
    return this.#compared >= PERSISTENT && this.#over >= MOSTLY ? "removals-lost" : undefined;
  }
}
