import type { Decision, Router } from "#router-wasm";
import type { DecisionLog } from "./decisions.ts";
import type { CacheReports } from "./drift/cache-reports.ts";
import type { DrainRate } from "./load/drain-rate.ts";
import type { Plan } from "./plan.ts";
import type { Prompt } from "./prompt.ts";
import type { Route, RouteOutcome } from "./route.ts";
import type { RoutedWorker, Slot, Workers } from "./workers.ts";

/** The router state that a route updates. */
export interface RouteRecords<Worker extends RoutedWorker> {
  readonly workers: Workers<Worker>;
  readonly decisions: DecisionLog<Worker>;
  readonly cacheReports: CacheReports<Worker>;
  readonly drainRate: DrainRate;
  /** Called when the load booked on a slot has changed. */
  onBooked(slot: Slot<Worker>): void;
  /** Called when load has decreased. */
  readonly onCapacity: (() => void) | undefined;
}

/** A route whose load is booked in the core, and which reports its progress and end to the router. */
export class BookedRoute<Worker extends RoutedWorker> implements Route<Worker> {
  readonly overlapBlocks: number;
  readonly plan: Plan<Worker> = { decode: this };
  readonly #router: RouteRecords<Worker>;
  readonly #core: Router;
  readonly #slot: Slot<Worker>;
  readonly #isExact: boolean;
  readonly #booking: number;
  /** The part of the overlap that is known from the worker's events. */
  readonly #heldBlocks: number;
  /** The decision's id in the log. */
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
    this.#router.onBooked(this.#slot);
    this.#router.onCapacity?.();
  }

  grow(blocks: number): void {
    if (this.#freed) return;
    this.#core.grow(this.#booking, blocks);
    this.#router.onBooked(this.#slot);
  }

  report(cachedTokens: number): void {
    const { decisions, cacheReports, workers } = this.#router;
    decisions.report(this.#recordId, cachedTokens);
    const slot = this.#slot;
    // The worker has left.
    if (workers.roster[slot.index] !== slot) return;
    // Events are in the worker's own tokens, and predict nothing about a prompt in other tokens.
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
    this.#router.onBooked(this.#slot);
    this.#router.decisions.settle(this.#recordId, outcome);
    this.#router.drainRate.count(performance.now());
    this.#router.onCapacity?.();
  }
}
