import type { Decision, Router } from "#router-wasm";
import type { DecisionLog } from "./decisions.ts";
import type { CacheReports } from "./drift/cache-reports.ts";
import type { DrainRate } from "./load/drain-rate.ts";
import type { Plan } from "./plan.ts";
import type { Prompt } from "./prompt.ts";
import type { Route, RouteOutcome } from "./route.ts";
import type { RoutedWorker, Slot, Workers } from "./workers.ts";

/** What a router keeps of its routes. */
export interface RouteRecords<Worker extends RoutedWorker> {
  readonly workers: Workers<Worker>;
  readonly decisions: DecisionLog<Worker>;
  readonly cacheReports: CacheReports<Worker>;
  readonly drainRate: DrainRate;
  /** Called when load has fallen. */
  readonly onRoom: (() => void) | undefined;
}

/** A route whose load is booked in the core, and whose end the router's records are told of. */
export class BookedRoute<Worker extends RoutedWorker> implements Route<Worker> {
  readonly overlapBlocks: number;
  readonly plan: Plan<Worker> = { decode: this };
  readonly #router: RouteRecords<Worker>;
  readonly #core: Router;
  readonly #slot: Slot<Worker>;
  readonly #isExact: boolean;
  readonly #booking: number;
  /** Of the overlap: what the worker's events say that it holds. */
  readonly #heldBlocks: number;
  /** The decision's place in the log. */
  readonly #recordId: number;
  readonly #decidedAt: number;
  #freed = false;

  constructor(
    router: RouteRecords<Worker>,
    core: Router,
    slot: Slot<Worker>,
    { isExact }: Prompt,
    { overlapBlocks, predictedBlocks, booking }: Decision,
    recordId: number,
    decidedAt: number,
  ) {
    this.#router = router;
    this.#core = core;
    this.#slot = slot;
    this.#isExact = isExact;
    this.overlapBlocks = overlapBlocks;
    this.#heldBlocks = overlapBlocks - predictedBlocks;
    this.#booking = booking;
    this.#recordId = recordId;
    this.#decidedAt = decidedAt;
  }

  get worker(): Worker {
    return this.#slot.worker;
  }

  get rank(): number {
    return this.#slot.rank;
  }

  firstToken(): void {
    if (this.#freed) return;
    this.#core.firstToken(this.#booking);
    this.#router.onRoom?.();
  }

  grow(blocks: number): void {
    if (!this.#freed) this.#core.grow(this.#booking, blocks);
  }

  report(cachedTokens: number): void {
    const { decisions, cacheReports, workers } = this.#router;
    decisions.report(this.#recordId, cachedTokens);
    const slot = this.#slot;
    // What a worker that has left reports is of no use any more.
    if (workers.roster[slot.index] !== slot) return;
    // Events are in the worker's own tokens: what they predict of other tokens means nothing.
    if (!this.#isExact && !slot.predictsOnly) return;
    cacheReports.observe(slot, {
      decidedAt: this.#decidedAt,
      predictedBlocks: slot.predictsOnly ? this.overlapBlocks : this.#heldBlocks,
      storedBlocks: this.#core.load(slot.index).storedBlocks,
      cachedTokens,
    });
  }

  free(outcome: RouteOutcome): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#core.free(this.#booking);
    this.#router.decisions.settle(this.#recordId, outcome);
    this.#router.drainRate.count(performance.now());
    this.#router.onRoom?.();
  }
}
