import type { CostTerms, Decision, Router } from "#router-wasm";
import type { RefusalReason } from "../kernel/metrics.ts";
import type { PrefillHereReason } from "./disaggregation/options.ts";
import type { PlanDecision } from "./disaggregation/plan-chooser.ts";
import type { RouteOutcome, RouteRequest } from "./route.ts";
import type { Roster, RoutedWorker, Slot } from "./workers.ts";

export type DecisionOutcome = "running" | "refused" | RouteOutcome;

/** Why a request has no worker: none was ready, or there was no capacity. */
export type DecisionReason = "none_ready" | RefusalReason;

/** Fields of a record for which the core made no decision. */
const NO_DECISION = {
  overlapBlocks: 0,
  predictedBlocks: 0,
  hostBlocks: 0,
  diskBlocks: 0,
  cost: 0,
  busyWorkers: 0,
};

/** A recent decision: the candidates with their costs, and the outcome. Contains no part of the prompt. */
export interface DecisionRecord {
  requestId: string;
  /** Milliseconds since the epoch. */
  time: number;
  /** Undefined if the request was refused. */
  chosen: DecidedWorker | undefined;
  /** The worker that computes the prompt; undefined if the chosen one does. */
  prefill: (DecidedWorker & { overlapBlocks: number }) | undefined;
  /** Why the chosen worker computes the prompt although there are prefill workers; otherwise undefined. */
  prefillHere: PrefillHereReason | undefined;
  promptTokens: number;
  overlapBlocks: number;
  /** Overlap blocks that are only predicted, from earlier requests. */
  predictedBlocks: number;
  /** Further blocks of the prompt in host memory, and then on disk. */
  hostBlocks: number;
  diskBlocks: number;
  cost: number;
  /** Time in the queue, in milliseconds. */
  queuedMs: number;
  /** Workers excluded only because they were busy. */
  busyWorkers: number;
  outcome: DecisionOutcome;
  /** Why the request was refused; otherwise undefined. */
  reason: DecisionReason | undefined;
  /** Undefined until the engine reports it. */
  reportedCachedTokens: number | undefined;
  candidates: DecidedCandidate[];
  /** Those among which the prefill worker was chosen. */
  prefillCandidates: DecidedCandidate[];
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

/** A record as stored, with the data from which a `DecisionRecord` is built on request. */
interface Entry<Worker extends RoutedWorker>
  extends Omit<
    DecisionRecord,
    "chosen" | "prefill" | "reportedCachedTokens" | "candidates" | "prefillCandidates"
  > {
  recordId: number;
  chosen: Slot<Worker> | undefined;
  prefill: Slot<Worker> | undefined;
  prefillOverlap: number;
  reportedCachedTokens: number;
  roster: Roster<Worker>;
  /** Candidates are among the first of the roster; none for a request without a decision. */
  workers: number;
  terms: CostTerms;
  prefillWorkers: number;
  prefillTerms: CostTerms;
}

const NOT_REPORTED = -1;
/** The id of what has no record. */
export const NO_RECORD = -1;

/**
 * The most recent decisions of a model. Recording one copies the core's arrays of terms into preallocated arrays;
 * readable records are built from them only on request.
 */
export class DecisionLog<Worker extends RoutedWorker> {
  readonly #core: Router;
  readonly #size: number;
  readonly #entries: Entry<Worker>[] = [];
  #nextRecordId = 0;
  /** Of the decision on a prefill worker that is recorded next. */
  #prefillTerms = termsFor(0);
  #prefillWorkers = 0;

  /** @param size how many decisions to keep; 0 for none */
  constructor(core: Router, size: number) {
    this.#core = core;
    this.#size = size;
  }

  /** The core's last decision is the one on a prefill worker, which `record` records with that on the other worker. */
  notePrefill(rosterLength: number): void {
    if (this.#size === 0) return;
    if (this.#prefillTerms.total.length < rosterLength) this.#prefillTerms = termsFor(rosterLength);
    this.#prefillWorkers = this.#core.copyTerms(this.#prefillTerms);
  }

  /**
   * Records the core's last decision.
   * @returns the record's id, for later updates, which have no effect once the record has been overwritten
   */
  record(
    request: RouteRequest<Worker>,
    { decode: decision, prefill, reason }: PlanDecision,
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
    entry.prefill = prefill && roster[prefill.worker];
    entry.prefillOverlap = prefill?.overlapBlocks ?? 0;
    entry.prefillHere = reason;
    entry.prefillWorkers = 0;
    if (prefill !== undefined) {
      const { prefillTerms } = entry;
      entry.prefillTerms = this.#prefillTerms;
      entry.prefillWorkers = this.#prefillWorkers;
      this.#prefillTerms = prefillTerms;
    }
    entry.roster = roster;
    entry.workers = this.#core.copyTerms(entry.terms);
    return entry.recordId;
  }

  /** Records a request that ended without a decision: it was refused, removed from the queue, or cancelled. */
  recordWithout(
    request: RouteRequest<Worker>,
    outcome: "refused" | "cancelled",
    reason: RefusalReason | undefined,
    queuedMs: number,
  ): void {
    const entry = this.#begin(request, NO_DECISION, queuedMs);
    if (entry === undefined) return;
    entry.chosen = undefined;
    entry.prefill = undefined;
    entry.prefillHere = undefined;
    entry.outcome = outcome;
    entry.reason = reason;
    entry.workers = 0;
    entry.prefillWorkers = 0;
  }

  /** Initialises the entry for the next record, reusing an old one; undefined if none are kept. */
  #begin(
    request: RouteRequest<Worker>,
    decision: Pick<Decision, keyof typeof NO_DECISION>,
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

  prefillFailed(recordId: number): void {
    const entry = this.#find(recordId);
    if (entry !== undefined) entry.prefillHere = "failed";
  }

  settle(recordId: number, outcome: RouteOutcome): void {
    const entry = this.#find(recordId);
    if (entry !== undefined) entry.outcome = outcome;
  }

  /** Newest first. */
  list(limit: number): DecisionRecord[] {
    return this.#newestFirst().slice(0, limit).map(describe);
  }

  /** All decisions for one request, newest first: one for each of its answers, and one for each retry. */
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
  prefill: undefined,
  prefillOverlap: 0,
  prefillHere: undefined,
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
  prefillWorkers: 0,
  prefillTerms: termsFor(0),
});

const termsFor = (workers: number): CostTerms => ({
  overlapBlocks: new Uint32Array(workers),
  prefill: new Float64Array(workers),
  decode: new Float64Array(workers),
  total: new Float64Array(workers),
});

function describe<Worker extends RoutedWorker>(entry: Entry<Worker>): DecisionRecord {
  const { recordId, chosen, prefill, prefillOverlap, roster, workers, terms, ...others } = entry;
  const { reportedCachedTokens, prefillWorkers, prefillTerms, ...facts } = others;
  return {
    ...facts,
    chosen: chosen && describeSlot(chosen),
    prefill: prefill && { ...describeSlot(prefill), overlapBlocks: prefillOverlap },
    reportedCachedTokens: reportedCachedTokens === NOT_REPORTED ? undefined : reportedCachedTokens,
    candidates: describeCandidates(roster.slice(0, workers), terms),
    prefillCandidates: describeCandidates(roster.slice(0, prefillWorkers), prefillTerms),
  };
}

function describeCandidates<Worker extends RoutedWorker>(
  roster: Roster<Worker>,
  { overlapBlocks, prefill, decode, total }: CostTerms,
): DecidedCandidate[] {
  return roster.flatMap((slot) => {
    if (slot === undefined || total[slot.index] === Number.POSITIVE_INFINITY) return [];
    return {
      ...describeSlot(slot),
      overlapBlocks: overlapBlocks[slot.index]!,
      prefill: prefill[slot.index]!,
      decode: decode[slot.index]!,
      total: total[slot.index]!,
    };
  });
}

const describeSlot = <Worker extends RoutedWorker>({ worker, rank }: Slot<Worker>): DecidedWorker => ({
  name: worker.instance.name,
  id: worker.instance.id,
  rank,
});
