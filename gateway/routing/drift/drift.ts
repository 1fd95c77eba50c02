/** How many consecutive requests must agree before a cause is reported, and the window of the sums in requests. */
const PERSISTENT = 20;
/** Tolerated share of predicted blocks that the engine does not have. */
const TOLERATED_LOSS = 0.2;
/** Tolerated excess of stored blocks over the worker's total, as a share of the total. */
const TOLERATED_EXCESS = 0.1;
/** An episode ends only when its measure falls below this share of the threshold, so that it does not flap. */
const HYSTERESIS = 1 / 3;

/** Why a worker's cache differs from the predictions. */
export type DriftCause =
  | "events-missing"
  | "block-size"
  | "never-matches"
  | "removals-lost"
  | "no-prefix-cache";

/** Log text for each cause: the likely reason and what to check. */
export const DRIFT_ADVICE: Record<DriftCause, string> = {
  "events-missing":
    "the engine reports cached tokens, but no KV event has arrived: turn its KV events on, and check the address they are published on",
  "block-size":
    "its KV events have a different block size than its card, so none can be matched: give engine and card the same block size",
  "never-matches":
    "its KV events never match the prompts its engine has cached: tokens or salt (LoRA name, cache namespace) differ between gateway and engine",
  "removals-lost":
    "its engine does not have all the blocks it should: removals were lost, or the engine clears its cache without an event",
  "no-prefix-cache":
    "its engine does not keep or report a prefix cache, so predictions for it are off: turn its prefix caching on",
};

/** One request of a worker, as predicted by the router and as reported by the engine. */
export interface Outcome {
  /** When the decision was made, on the clock of `performance.now()`. */
  readonly decidedAt: number;
  readonly predictedBlocks: number;
  readonly reportedBlocks: number;
  /** Blocks that the worker holds according to its events. */
  readonly storedBlocks: number;
  /** The size of its cache in blocks; 0 if its card does not say. */
  readonly totalBlocks: number;
}

/**
 * Compares the router's predictions for one worker with the engine's reports, and detects persistent differences.
 * Requests with nothing predicted and nothing cached are ignored. A single request may differ legitimately: the same
 * prompt was still in flight, or a block was evicted in between.
 */
export class DriftDetector {
  #storedEvents = 0;
  #eventBlockSize = 0;
  /** Consecutive requests with cached tokens but no prediction. */
  readonly #misses = new Streak();
  #compared = 0;
  /** Exponentially decaying sums over recent requests. */
  #predicted = 0;
  #lost = 0;
  #cause: DriftCause | undefined;

  /** The cause of the current episode. */
  get cause(): DriftCause | undefined {
    return this.#cause;
  }

  /** Block size of events if it differs from the card's; otherwise 0. */
  get eventBlockSize(): number {
    return this.#eventBlockSize;
  }

  onStored(): void {
    this.#storedEvents++;
  }

  /** An event has arrived whose block size differs from the card's. */
  onOtherBlockSize(blockSize: number): void {
    this.#eventBlockSize = blockSize;
  }

  observe(outcome: Outcome, now: number): void {
    const { decidedAt, predictedBlocks, reportedBlocks } = outcome;
    if (predictedBlocks === 0 && reportedBlocks === 0) return;
    this.#misses.count(predictedBlocks === 0, decidedAt, now);
    this.#countLoss(predictedBlocks, reportedBlocks);
    this.#cause = this.#diagnose(outcome);
  }

  /** Ignores a loss of one block, because engines recompute the last token of a prompt, and with it the last block. */
  #countLoss(predicted: number, reported: number): void {
    const keep = 1 - 1 / PERSISTENT;
    const lost = predicted - reported;
    this.#predicted = this.#predicted * keep + predicted;
    this.#lost = this.#lost * keep + (lost > 1 ? lost : 0);
    this.#compared++;
  }

  #diagnose({ storedBlocks, totalBlocks }: Outcome): DriftCause | undefined {
    if (this.#misses.length >= PERSISTENT) {
      if (this.#eventBlockSize > 0) return "block-size";
      return this.#storedEvents === 0 ? "events-missing" : "never-matches";
    }
    const tolerance = this.#cause === "removals-lost" ? HYSTERESIS : 1;
    const isOverfull = totalBlocks > 0 && storedBlocks > totalBlocks * (1 + TOLERATED_EXCESS * tolerance);
    const isLossy = this.#compared >= PERSISTENT && this.#lost > this.#predicted * TOLERATED_LOSS * tolerance;
    return isOverfull || isLossy ? "removals-lost" : undefined;
  }
}

/**
 * Detects that an engine without KV events has no prefix cache or does not report it: it never reports cached tokens
 * although they are predicted.
 */
export class NoCacheDetector {
  readonly #misses = new Streak();
  #cause: DriftCause | undefined;

  get cause(): DriftCause | undefined {
    return this.#cause;
  }

  observe({ decidedAt, predictedBlocks, reportedBlocks }: Outcome, now: number): void {
    // Once there is a cause, nothing is predicted, and only reported tokens can end the episode.
    if (predictedBlocks === 0 && reportedBlocks === 0) return;
    this.#misses.count(reportedBlocks === 0, decidedAt, now);
    this.#cause = this.#misses.length >= PERSISTENT ? "no-prefix-cache" : undefined;
  }
}

/** Counts consecutive requests that agree, each decided after the previous one was reported. */
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
