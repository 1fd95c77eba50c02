import type { Logger } from "#runtime";
import type { CacheMetrics, RoutingMetrics } from "../../kernel/metrics.ts";
import type { RoutedWorker, Slot } from "../workers.ts";
import { CacheDoubt, DRIFT_ADVICE, type DriftCause, DriftDetector, type Outcome } from "./drift.ts";

/** The shortest time between two warnings of one worker, in milliseconds. */
const WARNING_INTERVAL_MS = 60_000;

interface Account {
  readonly detector: DriftDetector;
  /** In the detector's place while the worker sends no events. */
  readonly doubt: CacheDoubt;
  readonly metrics: CacheMetrics;
  cause: DriftCause | undefined;
  /** The cause that the log names for this episode. */
  toldCause: DriftCause | undefined;
  warnedAt: number;
}

/** A finished request: what was predicted of its prompt, and what its engine took from its cache. */
export type CacheReport = Omit<Outcome, "reportedBlocks" | "totalBlocks"> & {
  readonly cachedTokens: number;
};

/** What the engines report of their prefix caches beside what the router predicted; warns where they differ. */
export class CacheReports<Worker extends RoutedWorker> {
  /** Called when predictions for a worker without events begin to mislead (false), and when they do no more. */
  onTrust: ((slot: Slot<Worker>, isTrusted: boolean) => void) | undefined;
  readonly #blockSize: number;
  readonly #metrics: RoutingMetrics;
  readonly #log: Logger;
  readonly #accounts = new Map<Slot<Worker>, Account>();

  constructor(blockSize: number, metrics: RoutingMetrics, log: Logger) {
    this.#blockSize = blockSize;
    this.#metrics = metrics;
    this.#log = log;
  }

  /** A stored event has come. False where its blocks are of another size than the model's, and match nothing. */
  accepts(slot: Slot<Worker>, blockSize: number): boolean {
    const { detector } = this.#of(slot);
    if (blockSize === this.#blockSize) {
      detector.onStored();
      return true;
    }
    detector.onForeignBlocks(blockSize);
    return false;
  }

  /** An event has come that cannot be read. */
  missed(slot: Slot<Worker>): void {
    this.#of(slot).metrics.unreadable.inc(1);
  }

  /** A request of the worker has ended. */
  observe(slot: Slot<Worker>, { cachedTokens, ...report }: CacheReport): void {
    const account = this.#of(slot);
    const predicted = report.predictedBlocks * this.#blockSize;
    account.metrics.predicted.inc(predicted);
    account.metrics.reported.inc(cachedTokens);
    this.#metrics.unexpectedTokens.observe(Math.max(0, cachedTokens - predicted));
    this.#metrics.missingTokens.observe(Math.max(0, predicted - cachedTokens));
    const { totalBlocks } = slot.worker.instance.card;
    const outcome = { ...report, totalBlocks, reportedBlocks: Math.floor(cachedTokens / this.#blockSize) };
    const now = performance.now();
    const judge = slot.predictsOnly ? account.doubt : account.detector;
    judge.observe(outcome, now);
    if (judge.cause !== account.cause) {
      account.cause = judge.cause;
      account.metrics.setCause(judge.cause);
      if (slot.predictsOnly) this.onTrust?.(slot, judge.cause === undefined);
    }
    this.#tell(slot, account, now);
  }

  /** Once an episode, and no more often than people can follow. */
  #tell(slot: Slot<Worker>, account: Account, now: number): void {
    const { cause, detector } = account;
    if (cause === account.toldCause) return;
    if (cause === undefined) {
      account.toldCause = undefined;
      return;
    }
    if (now - account.warnedAt < WARNING_INTERVAL_MS) return;
    account.toldCause = cause;
    account.warnedAt = now;
    const { foreignBlockSize } = detector;
    const fix = slot.worker.fixes?.[cause];
    this.#log.warn(`the router's predictions for a worker do not come true: ${DRIFT_ADVICE[cause]}`, {
      worker: slot.worker.instance.name,
      ...(slot.worker.instance.card.dataParallelSize > 1 && { rank: slot.rank }),
      cause,
      ...(fix !== undefined && { fix }),
      ...(cause === "block-size" && { blockSize: this.#blockSize, eventBlockSize: foreignBlockSize }),
    });
  }

  /** The worker's slots have gone. */
  forget(slots: readonly Slot<Worker>[]): void {
    for (const slot of slots) {
      this.#accounts.get(slot)?.metrics.remove();
      this.#accounts.delete(slot);
    }
  }

  #of(slot: Slot<Worker>): Account {
    let account = this.#accounts.get(slot);
    if (account === undefined) {
      const metrics = this.#metrics.cacheOf(slot.worker.instance.name, slot.rank);
      account = {
        detector: new DriftDetector(),
        doubt: new CacheDoubt(),
        metrics,
        cause: undefined,
        toldCause: undefined,
        warnedAt: Number.NEGATIVE_INFINITY,
      };
      this.#accounts.set(slot, account);
    }
    return account;
  }
}
