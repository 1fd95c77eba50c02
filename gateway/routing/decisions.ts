import type { CostTerms, Decision, Router } from "#router-wasm";
import type { RefusalReason } from "../kernel/metrics.ts";
import type { RouteOutcome, RouteRequest } from "./route.ts";
import type { Roster, RoutedWorker, Slot } from "./workers.ts";

export type DecisionOutcome = "running" | "refused" | RouteOutcome;

/** Why a request has no worker: none was ready, or there was no capacity. */
export type DecisionReason = "none_ready" | RefusalReason;

/** What is known of a request that the core was not asked about, or had no answer for. */
const NOTHING_CHOSEN = {
  overlapBlocks: 0,
  predictedBlocks: 0,
  hostBlocks: 0,
  diskBlocks: 0,
  cost: 0,
  busyWorkers: 0,
};

/** A recent decision: who could be chosen at what cost, what came of it. No part of the prompt is in it. */
export interface DecisionRecord {
  requestId: string;
  /** Milliseconds since the epoch. */
  time: number;
  /** Undefined where the request was refused. */
  chosen: DecidedWorker | undefined;
  promptTokens: number;
  overlapBlocks: number;
  /** Those of them that the chosen worker is only expected to hold, having been sent them. */
  predictedBlocks: number;
  /** Blocks that follow in its host's memory, and then on its disk. */
  hostBlocks: number;
  diskBlocks: number;
  cost: number;
  /** Time in the queue, in milliseconds. */
  queuedMs: number;
  /** Workers that were no candidates only because they were busy. */
  busyWorkers: number;
  outcome: DecisionOutcome;
  /** Of those that were refused. */
  reason: DecisionReason | undefined;
  /** Undefined until the engine has told it. */
  reportedCachedTokens: number | undefined;
  candidates: DecidedCandidate[];
}

export interface DecidedWorker {
  name: string;
  id: string;
  rank: number;
}

/** Terms of the `kv` cost, in blocks. */
export interface DecidedCandidate extends DecidedWorker {
  overlapBlocks: number;
  prefill: number;
  decode: number;
  total: number;
}

/** A record as it is kept, with what the rest is made of when somebody asks. */
interface Entry<Worker extends RoutedWorker>
  extends Omit<DecisionRecord, "chosen" | "reportedCachedTokens" | "candidates"> {
  recordId: number;
  chosen: Slot<Worker> | undefined;
  reportedCachedTokens: number;
  roster: Roster<Worker>;
  workers: number;
  terms: CostTerms;
}

const NOT_REPORTED = -1;

/**
 * The last so many decisions of a model. To remember one copies the core's arrays of terms into arrays that are
 * there already; what people read is made of them only when somebody asks.
 */
export class DecisionLog<Worker extends RoutedWorker> {
  readonly #core: Router;
  readonly #size: number;
  readonly #entries: Entry<Worker>[] = [];
  #nextRecordId = 0;

  /** @param size 0 keeps nothing */
  constructor(core: Router, size: number) {
    this.#core = core;
    this.#size = size;
  }

  /**
   * Remembers the core's last decision.
   * @returns the record's id, to say later what came of it; after as many decisions as are kept it does nothing any more
   */
  record(
    request: RouteRequest<Worker>,
    decision: Decision,
    roster: Roster<Worker>,
    queuedMs: number,
  ): number {
    const chosen = roster[decision.worker];
    const entry = this.#begin(request, decision, queuedMs);
    if (entry === undefined) return this.#nextRecordId - 1;
    if (entry.terms.total.length < roster.length) entry.terms = termsFor(roster.length);
    entry.chosen = chosen;
    entry.outcome = chosen === undefined ? "refused" : "running";
    if (chosen === undefined) entry.reason = decision.busyWorkers > 0 ? "busy" : "none_ready";
    entry.roster = roster;
    entry.workers = this.#core.copyTerms(entry.terms);
    return entry.recordId;
  }

  /** Remembers a request that ended without a decision: it was not let into the queue, or had to leave it, or left. */
  recordWithout(
    request: RouteRequest<Worker>,
    outcome: "refused" | "cancelled",
    reason: RefusalReason | undefined,
    queuedMs: number,
  ): void {
    const entry = this.#begin(request, NOTHING_CHOSEN, queuedMs);
    if (entry === undefined) return;
    entry.chosen = undefined;
    entry.outcome = outcome;
    entry.reason = reason;
    entry.workers = 0;
  }

  /** The entry for the next record, in the place of an old one; undefined where none are kept. */
  #begin(
    request: RouteRequest<Worker>,
    decision: Pick<Decision, keyof typeof NOTHING_CHOSEN>,
    queuedMs: number,
  ): Entry<Worker> | undefined {
    const recordId = this.#nextRecordId++;
    if (this.#size === 0) return undefined;
    const slot = recordId % this.#size;
    const entry = this.#entries[slot] ?? emptyEntry();
    this.#entries[slot] = entry;
    entry.recordId = recordId;
    entry.requestId = request.requestId;
    entry.time = Date.now();
    entry.promptTokens = request.prompt.tokens.length;
    entry.overlapBlocks = decision.overlapBlocks;
    entry.predictedBlocks = decision.predictedBlocks;
    entry.hostBlocks = decision.hostBlocks;
    entry.diskBlocks = decision.diskBlocks;
    entry.cost = decision.cost;
    entry.queuedMs = queuedMs;
    entry.busyWorkers = decision.busyWorkers;
    entry.reason = undefined;
    entry.reportedCachedTokens = NOT_REPORTED;
    return entry;
  }

  report(recordId: number, cachedTokens: number): void {
    const entry = this.#find(recordId);
    if (entry !== undefined) entry.reportedCachedTokens = cachedTokens;
  }

  settle(recordId: number, outcome: RouteOutcome): void {
    const entry = this.#find(recordId);
    if (entry !== undefined) entry.outcome = outcome;
  }

  /** The newest first. */
  list(limit: number): DecisionRecord[] {
    return this.#newestFirst().slice(0, limit).map(describe);
  }

  /** All decisions on one request, the newest first: one for each of its answers, and one for each new try. */
  of(requestId: string): DecisionRecord[] {
    return this.#newestFirst()
      .filter((entry) => entry.requestId === requestId)
      .map(describe);
  }

  #newestFirst(): Entry<Worker>[] {
    return [...this.#entries].sort((a, b) => b.recordId - a.recordId);
  }

  #find(recordId: number): Entry<Worker> | undefined {
    if (this.#size === 0) return undefined;
    const entry = this.#entries[recordId % this.#size];
    return entry?.recordId === recordId ? entry : undefined;
  }
}

const emptyEntry = <Worker extends RoutedWorker>(): Entry<Worker> => ({
  recordId: -1,
  requestId: "",
  time: 0,
  chosen: undefined,
  promptTokens: 0,
  overlapBlocks: 0,
  predictedBlocks: 0,
  hostBlocks: 0,
  diskBlocks: 0,
  cost: 0,
  queuedMs: 0,
  busyWorkers: 0,
  outcome: "running",
  reason: undefined,
  reportedCachedTokens: NOT_REPORTED,
  roster: [],
  workers: 0,
  terms: termsFor(0),
});

const termsFor = (workers: number): CostTerms => ({
  overlapBlocks: new Uint32Array(workers),
  prefill: new Float64Array(workers),
  decode: new Float64Array(workers),
  total: new Float64Array(workers),
});

function describe<Worker extends RoutedWorker>(entry: Entry<Worker>): DecisionRecord {
  const { recordId, chosen, roster, workers, terms, reportedCachedTokens, ...facts } = entry;
  const candidates = roster.slice(0, workers).flatMap((slot) => {
    if (slot === undefined || terms.total[slot.index] === Number.POSITIVE_INFINITY) return [];
    return {
      ...describeSlot(slot),
      overlapBlocks: terms.overlapBlocks[slot.index]!,
      prefill: terms.prefill[slot.index]!,
      decode: terms.decode[slot.index]!,
      total: terms.total[slot.index]!,
    };
  });
  return {
    ...facts,
    chosen: chosen && describeSlot(chosen),
    reportedCachedTokens: reportedCachedTokens === NOT_REPORTED ? undefined : reportedCachedTokens,
    candidates,
  };
}

const describeSlot = <Worker extends RoutedWorker>({ worker, rank }: Slot<Worker>): DecidedWorker => ({
  name: worker.instance.name,
  id: worker.instance.id,
  rank,
});
