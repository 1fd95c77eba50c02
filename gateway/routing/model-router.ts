import { createRouter, DEFAULT_WEIGHTS, type Decision, type Router, RouterError } from "#router-wasm";
import type { Logger } from "#runtime";
import type { RoutingMetrics } from "../kernel/metrics.ts";
import { BookedPrefill, BookedRoute, type RouteRecords } from "./booked-route.ts";
import { CacheEvents } from "./cache/cache-events.ts";
import { IndexCopies } from "./cache/index-copies.ts";
import { Chooser } from "./chooser.ts";
import { DecisionLog, NO_RECORD } from "./decisions.ts";
import { PlanChooser } from "./disaggregation/plan-chooser.ts";
import { TransferCost } from "./disaggregation/transfer-cost.ts";
import { CacheReports } from "./drift/cache-reports.ts";
import { SessionBindings } from "./filters/affinity.ts";
import { Bindings } from "./filters/binding.ts";
import { Filters } from "./filters/filters.ts";
import type { Selection } from "./filters/selection.ts";
import { DrainRate } from "./load/drain-rate.ts";
import { requestWeight } from "./load/request-weight.ts";
import {
  NO_LOAD,
  type RankLoad,
  type SharedLoads,
  type SharingRouter,
  sharedIdOf,
} from "./load/shared-load.ts";
import { busyLimits, candidateLimits, isAtLimit, type Thresholds } from "./load/thresholds.ts";
import type { RoutingOptions } from "./options.ts";
import type { PrefillPart } from "./plan.ts";
import { POLICIES } from "./policies/policies.ts";
import { mediaHashesOf } from "./prompt.ts";
import type { Route, RouteRequest, Unroutable } from "./route.ts";
import { OwnShare, RECENT_PREFILL_SHARE } from "./scorers/own-share.ts";
import { type RoutedWorker, type Slot, Workers } from "./workers.ts";

/** One model's router: the WebAssembly core, and the workers behind its indices. */
export class ModelRouter<Worker extends RoutedWorker = RoutedWorker>
  implements RouteRecords<Worker>, SharingRouter
{
  readonly workers = new Workers<Worker>();
  readonly bindings: Bindings<Worker>;
  readonly decisions: DecisionLog<Worker>;
  readonly cacheReports: CacheReports<Worker>;
  /** Copies of the index for other gateways, and theirs. */
  readonly copies: IndexCopies<Worker>;
  readonly drainRate = new DrainRate();
  /** What handing KV blocks from prefill to decode workers costs. */
  readonly transferCost = new TransferCost();
  /** Called when load has decreased or workers have changed, so that a waiting request may get a route. */
  onCapacity: (() => void) | undefined;
  /** Called when a shut-out worker has been admitted; its KV events so far were not kept. */
  onAdmitted: ((worker: Worker) => void) | undefined;
  /** Called for each unreadable KV event, with the problem as a clause. */
  onUnreadable: ((worker: Worker, what: string) => void) | undefined;
  readonly #core: Router;
  readonly #events: CacheEvents<Worker>;
  readonly #options: RoutingOptions;
  readonly #startedAt: number;
  readonly #sessions: SessionBindings<Worker>;
  readonly #plans: PlanChooser<Worker>;
  /** Workers that do not fit in the index, in order of arrival. */
  readonly #shutOut = new Set<Worker>();
  /** Workers that send no KV events, shut out or not. */
  readonly #predicted = new Set<Worker>();
  readonly #log: Logger;
  readonly #metrics: RoutingMetrics;
  /** The other gateways' load, by slot; the core has it too. */
  readonly #booked = new Map<Slot<Worker>, RankLoad>();
  readonly #shared: SharedLoads | undefined;
  /** Whether there are other gateways. */
  #isShared = false;
  #thresholds: Thresholds;

  constructor(
    module: WebAssembly.Module,
    blockSize: number,
    options: RoutingOptions,
    metrics: RoutingMetrics,
    log: Logger,
    shared?: SharedLoads,
  ) {
    this.#startedAt = performance.now();
    const { weights, limits, kvEventsKey } = options;
    this.#core = createRouter(module, { blockSize, weights, hashKey: kvEventsKey?.hashKey, ...limits });
    this.#options = options;
    this.#thresholds = options.thresholds;
    this.#sessions = new SessionBindings(options.affinity);
    this.#log = log;
    this.#metrics = metrics;
    const context = { workers: this.workers, sessions: this.#sessions, random: Math.random };
    this.bindings = new Bindings(context);
    const { prefillLoadScale = DEFAULT_WEIGHTS.prefillLoadScale } = weights;
    const scorers = options.others ? [new OwnShare(options.others.shares, prefillLoadScale)] : [];
    this.#plans = new PlanChooser({
      chooser: new Chooser(this.#core, POLICIES[options.policy], scorers, Math.random),
      workers: this.workers,
      decode: new Filters(context, "decode"),
      prefill: new Filters(context, "prefill"),
      options: options.disaggregation,
      cost: this.transferCost,
      blockSize,
      load: (index) => this.#core.load(index),
      mayWait: (selection) => this.#mayWait(selection),
      onPrefillBooked: () => this.decisions.notePrefill(this.workers.roster.length),
    });
    this.decisions = new DecisionLog(this.#core, options.decisionLog);
    this.cacheReports = new CacheReports(blockSize, metrics, log);
    this.cacheReports.onTrust = (slot, isTrusted) => {
      slot.isPredictable = isTrusted;
      this.#predict(slot);
    };
    this.#events = new CacheEvents(this.#core, this.cacheReports);
    this.#events.onUnreadable = (worker, what) => this.onUnreadable?.(worker, what);
    this.copies = new IndexCopies(this.#core, this.workers, this.#events.groups, () => this.#seconds);
    this.#shared = shared;
    if (shared !== undefined) shared.router = this;
  }

  get policy() {
    return this.#options.policy;
  }

  get blockSize(): number {
    return this.#core.blockSize;
  }

  /** The core's clock: seconds since the router's start, because workerd's clock starts in 1970 and may be set back. */
  get #seconds(): number {
    return Math.max(0, performance.now() - this.#startedAt) / 1000;
  }

  /**
   * Chooses a worker and books the request's load on it.
   * @param queuedMs how long a queued request has waited; if there is no route it keeps waiting, and no decision is
   *   logged
   * @param tokensAhead prompt tokens that wait for prefill workers and go first
   */
  route(request: RouteRequest<Worker>, queuedMs?: number, tokensAhead = 0): Route<Worker> | Unroutable {
    this.#weighRecentPrefill();
    const now = performance.now();
    const plan = this.#plans.choose(request, now, this.#seconds, true, tokensAhead);
    if (plan.waits) return "must-wait-for-prefill";
    const { decode: decision } = plan;
    const { roster } = this.workers;
    const slot = roster[decision.worker];
    const areBusy = slot === undefined && (decision.busyWorkers > 0 || plan.reason === "busy");
    if (slot === undefined && (queuedMs !== undefined || (areBusy && this.#mayWait(this.#plans.selection))))
      return "must-wait";
    if (this.#log.isEnabled("debug")) this.#explain(request, slot);
    const recordId = this.decisions.record(request, plan, roster, queuedMs ?? 0);
    if (slot === undefined) return areBusy ? "all-busy" : "none-ready";
    const { session } = request.preferences;
    if (session !== undefined && this.#sessions.mode !== "off") this.#sessions.remember(session, slot, now);
    this.#options.others?.countRequest();
    // A failure has been counted already.
    if (plan.reason !== undefined && plan.reason !== "failed")
      this.#metrics.prefills.count("local", plan.reason);
    const prefill = plan.prefill && this.#assign(request, plan.prefill, now);
    if (prefill === undefined) this.#onAssigned(request, slot, decision.overlapBlocks);
    else this.#onAssigned(request, slot, undefined, request.isPrefillOnly !== true);
    return new BookedRoute(this, this.#core, slot, request.prompt, decision, recordId, now, {
      prefill,
      prefillHere: plan.reason,
    });
  }

  /** The prefill worker's part of a plan. */
  #assign(request: RouteRequest<Worker>, decision: Decision, now: number): PrefillPart<Worker> {
    const slot = this.workers.roster[decision.worker]!;
    this.#onAssigned(request, slot, decision.overlapBlocks);
    const { prompt } = request;
    const route = new BookedRoute(this, this.#core, slot, prompt, decision, NO_RECORD, now);
    return new BookedPrefill(route, prompt, this.transferCost);
  }

  /**
   * @param overlapBlocks what the worker has cached of the prompt; undefined if it computes nothing of it
   * @param willCache whether it will have the prompt cached
   */
  #onAssigned(
    { prompt }: RouteRequest<Worker>,
    { index, worker, rank }: Slot<Worker>,
    overlapBlocks: number | undefined,
    willCache = true,
  ): void {
    if (willCache && POLICIES[this.#options.policy].readsCaches) this.#core.predict(index);
    const { length } = prompt.tokens;
    const newTokens = overlapBlocks === undefined ? 0 : length - overlapBlocks * this.blockSize;
    this.#shared?.changed(sharedIdOf(worker.instance), rank, Math.max(0, newTokens));
  }

  /** Other gateways come and go. */
  #weighRecentPrefill(): void {
    const { others, weights } = this.#options;
    const isShared = others !== undefined && others.shares().weights.size > 0;
    if (isShared === this.#isShared) return;
    this.#isShared = isShared;
    const { recentPrefillWeight = DEFAULT_WEIGHTS.recentPrefillWeight } = weights;
    this.#core.setWeights({
      recentPrefillWeight: recentPrefillWeight * (isShared ? RECENT_PREFILL_SHARE : 1),
    });
  }

  /** The worker that the request would be sent to now, without booking anything; undefined if there is none. */
  peek(request: RouteRequest<Worker>): Worker | undefined {
    const { decode } = this.#plans.choose(request, performance.now(), this.#seconds, false);
    return this.workers.roster[decode.worker]?.worker;
  }

  /** Whether a prefill worker is likely to compute the prompt. @param newTokens see `uncachedTokens` */
  isForPrefill(request: RouteRequest<Worker>, newTokens: number): boolean {
    return this.#plans.isForPrefill(request, newTokens);
  }

  /** How many prompt tokens no worker has cached. */
  uncachedTokens({ prompt, salt }: Pick<RouteRequest<Worker>, "prompt" | "salt">): number {
    const { tokens } = prompt;
    this.#core.writePrompt(tokens);
    const { length: blocks } = this.#core.hashPrompt(tokens.length, {
      salt,
      mmHashes: mediaHashesOf(prompt, this.#core),
    });
    return tokens.length - this.#core.find(blocks) * this.blockSize;
  }

  /** Adds a worker. If it does not fit in the index, it is shut out until others leave. */
  addWorker(worker: Worker): void {
    if (this.#options.weights.activeRequestWeight === undefined) {
      this.#core.setWeights({ activeRequestWeight: requestWeight(worker.instance.card) });
    }
    if (this.#admit(worker)) return;
    this.workers.add(worker, [], false);
    this.#plans.refresh();
    this.#shutOut.add(worker);
    this.#log.error(
      "a worker gets no requests: the model already has as many workers as --index-workers allows",
      {
        worker: worker.instance.name,
        limit: this.#options.limits.maxWorkers,
      },
    );
  }

  /** Whether the worker gets no requests because it does not fit in the index. */
  isShutOut(worker: Worker): boolean {
    return this.#shutOut.has(worker);
  }

  removeWorker(worker: Worker): void {
    const slots = this.workers.slotsOf(worker);
    for (const slot of slots) {
      this.#core.removeWorker(slot.index);
      this.#booked.delete(slot);
      this.onBooked(slot);
    }
    this.workers.remove(worker);
    this.#shutOut.delete(worker);
    this.#predicted.delete(worker);
    this.#plans.refresh();
    this.cacheReports.forget(slots);
    if (slots.length > 0) this.#admitShutOut();
    // Sessions bound to it may move now.
    this.onCapacity?.();
  }

  #admit(worker: Worker): boolean {
    const indices = this.#newIndices(worker);
    if (indices === undefined) return false;
    this.workers.add(worker, indices, this.#predicted.has(worker));
    this.#plans.refresh();
    this.#limit(worker);
    for (const slot of this.workers.slotsOf(worker)) {
      this.#predict(slot);
      this.#takeOver(slot);
    }
    this.updateWorker(worker);
    return true;
  }

  /** In order of arrival; a worker with more ranks than fit does not hold up those after it. */
  #admitShutOut(): void {
    for (const worker of this.#shutOut) {
      if (!this.#admit(worker)) continue;
      this.#shutOut.delete(worker);
      this.#log.info("a worker that --index-workers had shut out now gets requests", {
        worker: worker.instance.name,
      });
      this.onAdmitted?.(worker);
    }
  }

  /** An index for each of the worker's ranks; undefined if there are not enough. */
  #newIndices({ instance }: Worker): number[] | undefined {
    const indices: number[] = [];
    try {
      for (let rank = 0; rank < instance.card.dataParallelSize; rank++) indices.push(this.#core.addWorker());
      return indices;
    } catch (error) {
      if (!(error instanceof RouterError) || error.code !== "worker_limit") throw error;
      for (const index of indices) this.#core.removeWorker(index);
      return undefined;
    }
  }

  /** The worker's readiness may have changed. */
  updateWorker(worker: Worker): void {
    const { isReady } = worker;
    for (const { index } of this.workers.slotsOf(worker)) this.#core.setEligible(index, isReady);
    this.#plans.refresh();
    if (isReady) this.onCapacity?.();
  }

  /** Clears what is known of the cache of one of the worker's ranks, or of all. */
  clearWorker(worker: Worker, onlyRank?: number): void {
    for (const { index, rank } of this.workers.slotsOf(worker)) {
      if (onlyRank === undefined || rank === onlyRank) this.#core.clearWorker(index);
    }
  }

  /**
   * Feeds a batch of a worker's KV events, in vLLM's wire format, to the index.
   * @returns the block size of the last stored event, which was ignored if it differs from the router's; undefined if
   *   nothing was stored
   * @throws KvEventError if the bytes are not a valid batch
   */
  applyPayload(worker: Worker, payload: Uint8Array): number | undefined {
    return this.#events.applyPayload(this.workers.slotsOf(worker), payload);
  }

  /** Predicts the worker's cache from its requests alone, because it sends no KV events. */
  predictOnly(worker: Worker): void {
    this.#predicted.add(worker);
    const slots = this.workers.slotsOf(worker);
    const computes = worker.instance.card.role !== "encode";
    if (computes && slots.length > 0 && slots.every(({ predictsOnly }) => !predictsOnly)) {
      this.#log.info("a worker sends no KV events: its cache is predicted from its requests", {
        worker: worker.instance.name,
      });
    }
    for (const slot of slots) {
      slot.predictsOnly = true;
      this.#predict(slot);
    }
  }

  /** Follows the KV events of a worker that sends them after all. */
  followEvents(worker: Worker): void {
    this.#predicted.delete(worker);
    for (const slot of this.workers.slotsOf(worker)) {
      slot.predictsOnly = false;
      this.#predict(slot);
    }
  }

  get thresholds(): Thresholds {
    return this.#thresholds;
  }

  /** Takes effect with the next request. */
  set thresholds(thresholds: Thresholds) {
    this.#thresholds = thresholds;
    for (const worker of this.workers.all()) this.#limit(worker);
    this.onCapacity?.();
  }

  /** The load of each of the worker's ranks. */
  loads(worker: Worker) {
    return this.workers.slotsOf(worker).map(({ index, rank }) => ({ rank, ...this.#core.load(index) }));
  }

  onBooked({ worker, rank }: Slot<Worker>): void {
    this.#shared?.changed(sharedIdOf(worker.instance), rank);
  }

  ownLoad(worker: string, rank: number): RankLoad {
    const slot = this.#sharedSlot(worker, rank);
    if (slot === undefined) return NO_LOAD;
    const { activePrefillTokens, activeDecodeBlocks, activeRequests } = this.#core.load(slot.index);
    const { prefillTokens, decodeBlocks, requests } = this.#booked.get(slot) ?? NO_LOAD;
    return {
      prefillTokens: activePrefillTokens - prefillTokens,
      decodeBlocks: activeDecodeBlocks - decodeBlocks,
      requests: activeRequests - requests,
    };
  }

  setBooked(worker: string, rank: number, load: RankLoad, newPrefillTokens = 0): void {
    const slot = this.#sharedSlot(worker, rank);
    if (slot === undefined) return;
    const before = this.#booked.get(slot) ?? NO_LOAD;
    this.#booked.set(slot, load);
    this.#core.addLoad(slot.index, {
      prefillTokens: load.prefillTokens - before.prefillTokens,
      decodeBlocks: load.decodeBlocks - before.decodeBlocks,
      requests: load.requests - before.requests,
      recentPrefillTokens: newPrefillTokens,
    });
    this.onCapacity?.();
  }

  /** Applies the other gateways' load to a new slot. */
  #takeOver({ worker, rank }: Slot<Worker>): void {
    if (this.#shared === undefined) return;
    const id = sharedIdOf(worker.instance);
    this.setBooked(id, rank, this.#shared.booked(id, rank));
    this.#shared.changed(id, rank);
  }

  #sharedSlot(worker: string, rank: number): Slot<Worker> | undefined {
    for (const candidate of this.workers.each())
      if (sharedIdOf(candidate.instance) === worker) return this.workers.slotsOf(candidate)[rank];
    return undefined;
  }

  stats() {
    return this.#core.stats();
  }

  #predict({ index, predictsOnly, isPredictable, worker }: Slot<Worker>): void {
    const { eventTtlSeconds, onlyTtlSeconds } = this.#options.predictions;
    const trustedSeconds = predictsOnly ? onlyTtlSeconds : eventTtlSeconds;
    const ttlSeconds = isPredictable ? trustedSeconds : 0;
    const { totalBlocks } = worker.instance.card;
    const capacityBlocks = totalBlocks > 0 ? totalBlocks : undefined;
    this.#core.setPredictions(index, ttlSeconds > 0 ? { ttlSeconds, capacityBlocks } : undefined);
  }

  #limit(worker: Worker): void {
    const limits = candidateLimits(this.#thresholds, worker.instance.card);
    for (const { index } of this.workers.slotsOf(worker)) this.#core.setLimits(index, limits);
  }

  /**
   * Whether a request without a route may wait: some worker is over its queue limit but not busy. If all are busy, a
   * queue would only delay the refusal.
   */
  #mayWait({ only, excluded }: Selection): boolean {
    if (this.#thresholds.queuePrefillSteps === undefined) return false;
    return this.workers.roster.some((slot) => {
      if (slot === undefined || !slot.worker.isReady || excluded.includes(slot.index)) return false;
      if (only !== undefined && slot.index !== only) return false;
      const limits = busyLimits(this.#thresholds, slot.worker.instance.card);
      return !isAtLimit(this.#core.load(slot.index), limits);
    });
  }

  #explain({ requestId }: RouteRequest<Worker>, chosen: Slot<Worker> | undefined): void {
    for (const { worker, overlapBlocks, prefill, decode, total } of this.#core.explain()) {
      this.#log.debug("candidate", {
        request: requestId,
        worker: this.workers.roster[worker]?.worker.instance.name,
        overlapBlocks,
        prefill,
        decode,
        total,
      });
    }
    this.#log.debug("chosen", {
      request: requestId,
      policy: this.policy,
      worker: chosen?.worker.instance.name ?? "none",
    });
  }
}
