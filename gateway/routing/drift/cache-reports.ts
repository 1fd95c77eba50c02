import type { Logger } from "#runtime";
import type { CacheMetrics, RoutingMetrics } from "../../kernel/metrics.ts";
import type { RoutedWorker, Slot } from "../workers.ts";
import { DRIFT_ADVICE, type DriftCause, DriftDetector, NoCacheDetector, type Outcome } from "./drift.ts";

/** Minimum time between two warnings about one worker, in milliseconds. */
const WARNING_INTERVAL_MS = 60_000;

interface Account {
  readonly detector: DriftDetector;
  /** Used instead of `detector` while the worker sends no events. */
  readonly noCacheDetector: NoCacheDetector;
  readonly metrics: CacheMetrics;
  cause: DriftCause | undefined;
  /** The cause that was logged for this episode. */
  loggedCause: DriftCause | undefined;
  warnedAt: number;
}

/** How much of a finished request's prompt was predicted to be cached, and how much the engine took from its cache. */
export type CacheReport = Omit<Outcome, "reportedBlocks" | "totalBlocks"> & {
  readonly cachedTokens: number;
};

/** Compares engines' reports of cached tokens with the router's predictions, and warns if they differ. */
export class CacheReports<Worker extends RoutedWorker> {
  /** Called when predictions for a worker without events turn out wrong (false), and when they are right again. */
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

  /** A stored event has arrived. @returns false if its block size differs from the model's, so it cannot match */
  accepts(slot: Slot<Worker>, blockSize: number): boolean {
    const { detector } = this.#of(slot);
    if (blockSize === this.#blockSize) {
      detector.onStored();
      return true;
    }
    detector.onOtherBlockSize(blockSize);
    return false;
  }

  /** An unreadable event has arrived. */
  missed(slot: Slot<Worker>): void {
    this.#of(slot).metrics.unreadable.inc(1);
  }

  /** The engine has reported the cached tokens of a request. */
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
    const detector = slot.predictsOnly ? account.noCacheDetector : account.detector;
    detector.observe(outcome, now);
    const { cause } = detector;
    if (cause !== account.cause) {
      account.cause = cause;
      account.metrics.setCause(cause);
      if (slot.predictsOnly) this.onTrust?.(slot, cause === undefined);
    }
    this.#warn(slot, account, now);
  }

  /** Warns once per episode, and at most once per interval. */
  #warn(slot: Slot<Worker>, account: Account, now: number): void {
    const { cause, detector } = account;
    if (cause === account.loggedCause) return;
    if (cause === undefined) {
      account.loggedCause = undefined;
      return;
    }
    if (now - account.warnedAt < WARNING_INTERVAL_MS) return;
    account.loggedCause = cause;
    account.warnedAt = now;
    const fix = slot.worker.fixes?.[cause];
    this.#log.warn(`a worker's cache does not match the router's predictions: ${DRIFT_ADVICE[cause]}`, {
      worker: slot.worker.instance.name,
      ...(slot.worker.instance.card.dataParallelSize > 1 && { rank: slot.rank }),
      cause,
      ...(fix !== undefined && { fix }),
      ...(cause === "block-size" && { blockSize: this.#blockSize, eventBlockSize: detector.eventBlockSize }),
    });
  }

  /** The worker has left. */
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
        noCacheDetector: new NoCacheDetector(),
        metrics,
        cause: undefined,
        loggedCause: undefined,
        warnedAt: Number.NEGATIVE_INFINITY,
      };
      this.#accounts.set(slot, account);
    }
    return account;
  }
}
