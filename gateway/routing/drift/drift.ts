/** Requests in a row that must agree before a cause is named, or that sums are kept over. */
const PERSISTENT = 20;
/** Share of the predicted blocks that the engine may not find. */
const TOLERATED_LOSS = 0.2;
/** Share by which a worker may be believed to hold more blocks than it has. */
const TOLERATED_EXCESS = 0.1;
/** An episode ends when what began it is below this share of what may be: it would begin anew all the time else. */
const CLEARLY_GONE = 1 / 3;

/** Why a worker's cache is not what the router thinks. */
export type DriftCause =
  | "events-missing"
  | "block-size"
  | "never-matches"
  | "removals-lost"
  | "no-prefix-cache";

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
  "no-prefix-cache":
    "its engine does not keep or report a prefix cache, so that nothing is predicted for it any more: turn its prefix caching on",
};

/** One finished request of a worker, as the router predicted it and as the engine reported it. */
export interface Outcome {
  /** When the decision was made, on the clock of `performance.now()`. */
  readonly decidedAt: number;
  readonly predictedBlocks: number;
  readonly reportedBlocks: number;
  /** Blocks that the worker is believed to hold, beside those that it has; 0 where its card does not say. */
  readonly storedBlocks: number;
  readonly totalBlocks: number;
}

/**
 * Compares, for one worker, the router's predictions with the engine's reports, and says when they differ for so
 * long that something is wrong. A request that neither expected nor found anything cached says nothing. A single
 * one may differ for good reasons: the same prompt was in flight already, or a block was evicted in between.
 */
export class DriftDetector {
  #storedEvents = 0;
  #foreignBlockSize = 0;
  /** Requests in a row of which the engine had something cached, but nothing was predicted. */
  readonly #misses = new Streak();
  #compared = 0;
  /** Sums over the last requests: each one older weighs less. */
  #predicted = 0;
  #lost = 0;
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

  observe(outcome: Outcome, now: number): void {
    const { decidedAt, predictedBlocks, reportedBlocks } = outcome;
    if (predictedBlocks === 0 && reportedBlocks === 0) return;
    this.#misses.count(predictedBlocks === 0, decidedAt, now);
    this.#countLoss(predictedBlocks, reportedBlocks);
    this.#cause = this.#judge(outcome);
  }

  /** To within a block: engines compute the last token of a prompt anew, and its block with it. */
  #countLoss(predicted: number, reported: number): void {
    const keep = 1 - 1 / PERSISTENT;
    const lost = predicted - reported;
    this.#predicted = this.#predicted * keep + predicted;
    this.#lost = this.#lost * keep + (lost > 1 ? lost : 0);
    this.#compared++;
  }

  #judge({ storedBlocks, totalBlocks }: Outcome): DriftCause | undefined {
    if (this.#misses.length >= PERSISTENT) {
      if (this.#foreignBlockSize > 0) return "block-size";
      return this.#storedEvents === 0 ? "events-missing" : "never-matches";
    }
    const tolerance = this.#cause === "removals-lost" ? CLEARLY_GONE : 1;
    const isOverfull = totalBlocks > 0 && storedBlocks > totalBlocks * (1 + TOLERATED_EXCESS * tolerance);
    const isLossy = this.#compared >= PERSISTENT && this.#lost > this.#predicted * TOLERATED_LOSS * tolerance;
    return isOverfull || isLossy ? "removals-lost" : undefined;
  }
}

/**
 * Finds out that an engine without KV events has no prefix cache, or does not tell of it: much is predicted, and it
 * never reports anything cached.
 */
export class CacheDoubt {
  readonly #misses = new Streak();
  #cause: DriftCause | undefined;

  get cause(): DriftCause | undefined {
    return this.#cause;
  }

  observe({ decidedAt, predictedBlocks, reportedBlocks }: Outcome, now: number): void {
    // Nothing is predicted any more once there is a cause: only a report can end it.
    if (predictedBlocks === 0 && reportedBlocks === 0) return;
    this.#misses.count(reportedBlocks === 0, decidedAt, now);
    this.#cause = this.#misses.length >= PERSISTENT ? "no-prefix-cache" : undefined;
  }
}

/** Requests that agreed, each decided when the one before had ended: those of one burst count once. */
class Streak {
  length = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  count(agrees: boolean, decidedAt: number, now: number): void {
    if (!agrees) this.length = 0;
    else if (decidedAt >= this.#lastAt) {
      this.length++;
      this.#lastAt = now;
    }
  }
}
