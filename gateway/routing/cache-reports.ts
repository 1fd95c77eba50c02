import type { Logger } from "#runtime";
import type { CacheMetrics, RoutingMetrics } from "../metrics.ts";
import { DRIFT_ADVICE, DriftDetector } from "./drift.ts";
import type { RoutedWorker, Slot } from "./workers.ts";

interface Account {
  readonly detector: DriftDetector;
  readonly metrics: CacheMetrics;
}

/** What the engines report of their prefix caches beside what the router predicted; warns where they differ. */
export class CacheReports<Worker extends RoutedWorker> {
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

  /** A request has ended whose engine took `cachedTokens` of the prompt from its cache. */
  observe(slot: Slot<Worker>, decidedAt: number, predictedBlocks: number, cachedTokens: number): void {
    const { detector, metrics } = this.#of(slot);
    const predicted = predictedBlocks * this.#blockSize;
    metrics.predicted.inc(predicted);
    metrics.reported.inc(cachedTokens);
    this.#metrics.cacheDrift.observe(cachedTokens - predicted);
    // Without events there is nothing that could be wrong with them.
    if (slot.predictsOnly) return;
    const reportedBlocks = Math.floor(cachedTokens / this.#blockSize);
    const before = detector.cause;
    const begun = detector.observe({ decidedAt, predictedBlocks, reportedBlocks }, performance.now());
    if (detector.cause !== before) metrics.setCause(detector.cause);
    if (begun === undefined) return;
    const { foreignBlockSize } = detector;
    this.#log.warn(`the router's predictions for a worker do not come true: ${DRIFT_ADVICE[begun]}`, {
      worker: slot.worker.instance.name,
      ...(slot.worker.instance.card.dataParallelSize > 1 && { rank: slot.rank }),
      cause: begun,
      ...(begun === "block-size" && { blockSize: this.#blockSize, eventBlockSize: foreignBlockSize }),
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
      account = { detector: new DriftDetector(), metrics };
      this.#accounts.set(slot, account);
    }
    return account;
  }
}
