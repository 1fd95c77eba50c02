import type { Decision, Router } from "#router-wasm";
import type { DecisionLog } from "./decisions.ts";
import type { TransferCost } from "./disaggregation/transfer-cost.ts";
import type { CacheReports } from "./drift/cache-reports.ts";
import type { DrainRate } from "./load/drain-rate.ts";
import type { Plan, PrefillPart } from "./plan.ts";
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
  plan: Plan<Worker>;
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
  /** Prompt tokens that are booked on top, because another worker was to compute them. */
  #extraTokens = 0;
  /** Prompt tokens that the worker does not have cached. */
  readonly newTokens: number;
  #freed = false;

  constructor(
    router: RouteRecords<Worker>,
    core: Router,
    slot: Slot<Worker>,
    { isExact, tokens }: Prompt,
    { overlapBlocks, predictedBlocks, booking }: Decision,
    recordId: number,
    decidedAt: number,
    { prefill, prefillHere }: Pick<Plan<Worker>, "prefill" | "prefillHere"> = {},
  ) {
    this.plan = { decode: this, prefill, prefillHere };
    this.newTokens = Math.max(0, tokens.length - overlapBlocks * core.blockSize);
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

  prefillHere(): void {
    this.plan.prefill?.free();
    this.plan = { decode: this, prefillHere: "failed" };
    this.#router.decisions.prefillFailed(this.#recordId);
    if (this.#freed || this.#extraTokens > 0 || this.#hasLeft) return;
    this.#extraTokens = this.newTokens;
    this.#addExtra(this.#extraTokens);
  }

  firstToken(): void {
    if (this.#freed) return;
    this.#core.firstToken(this.#booking);
    this.#dropExtra();
    this.#router.onBooked(this.#slot);
    this.#router.onCapacity?.();
  }

  grow(blocks: number): void {
    if (this.#freed) return;
    this.#core.grow(this.#booking, blocks);
    this.#router.onBooked(this.#slot);
  }

  report(cachedTokens: number): void {
    const { decisions, cacheReports } = this.#router;
    decisions.report(this.#recordId, cachedTokens);
    const slot = this.#slot;
    if (this.#hasLeft) return;
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
    this.plan.prefill?.free();
    this.#dropExtra();
    this.#core.free(this.#booking);
    this.#router.onBooked(this.#slot);
    this.#router.decisions.settle(this.#recordId, outcome);
    this.#router.drainRate.count(performance.now());
    this.#router.onCapacity?.();
  }

  /** Whether the worker has left. */
  get #hasLeft(): boolean {
    return this.#router.workers.roster[this.#slot.index] !== this.#slot;
  }

  #dropExtra(): void {
    if (this.#extraTokens === 0) return;
    if (!this.#hasLeft) this.#addExtra(-this.#extraTokens);
    this.#extraTokens = 0;
  }

  #addExtra(prefillTokens: number): void {
    this.#core.addLoad(this.#slot.index, { prefillTokens, decodeBlocks: 0, requests: 0 });
    this.#router.onBooked(this.#slot);
  }
}

/** The part of a prefill worker, whose load is booked in the core. */
export class BookedPrefill<Worker extends RoutedWorker> implements PrefillPart<Worker> {
  readonly #route: BookedRoute<Worker>;
  readonly #cost: TransferCost;
  readonly #tokens: number;
  readonly #newTokens: number;

  /** @param route of the prefill alone */
  constructor(route: BookedRoute<Worker>, { tokens }: Prompt, cost: TransferCost) {
    this.#route = route;
    this.#cost = cost;
    this.#tokens = tokens.length;
    this.#newTokens = route.newTokens;
  }

  get worker(): Worker {
    return this.#route.worker;
  }

  get rank(): number {
    return this.#route.rank;
  }

  get overlapBlocks(): number {
    return this.#route.overlapBlocks;
  }

  computed(cachedTokens: number | undefined, microseconds: number): void {
    this.#route.firstToken();
    if (cachedTokens !== undefined) this.#route.report(cachedTokens);
    this.#cost.prefilled(
      cachedTokens === undefined ? this.#newTokens : this.#tokens - cachedTokens,
      microseconds,
    );
  }

  transferred(microseconds: number | undefined): void {
    if (microseconds !== undefined) this.#cost.transferred(this.#tokens, microseconds);
    this.free();
  }

  free(): void {
    this.#route.free("finished");
  }
}
