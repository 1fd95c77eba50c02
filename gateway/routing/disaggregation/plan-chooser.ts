import type { Decision, WorkerLoad } from "#router-wasm";
import type { Chooser } from "../chooser.ts";
import type { Filters } from "../filters/filters.ts";
import { isPrefillWorker } from "../filters/role.ts";
import { Selection } from "../filters/selection.ts";
import type { RouteRequest } from "../route.ts";
import type { RoutedWorker, Workers } from "../workers.ts";
import type { DisaggregationOptions, LocalPrefillReason, PrefillHereReason } from "./options.ts";
import type { TransferCost } from "./transfer-cost.ts";

/** Who does what, before it becomes a route. */
export interface PlanDecision {
  /** The core's last decision: read it before the next one. */
  decode: Decision;
  /** The prefill worker; undefined if the decode worker computes the prompt itself. */
  prefill: Decision | undefined;
  /** Why there is no prefill worker; undefined if there is one, or the model has none. */
  reason: PrefillHereReason | undefined;
  /** Whether the request had better wait for a prefill worker; nothing is booked then. */
  waits: boolean;
}

export interface PlanContext<Worker extends RoutedWorker> {
  readonly chooser: Chooser;
  readonly workers: Workers<Worker>;
  /** Filters of the workers that may answer, and of those that compute prompts for them. */
  readonly decode: Filters<Worker>;
  readonly prefill: Filters<Worker>;
  readonly options: DisaggregationOptions;
  readonly cost: TransferCost;
  readonly blockSize: number;
  load(index: number): WorkerLoad;
  /** Whether a worker of the selection has too much to do only by the queue's threshold, so that requests wait for it. */
  mayWait(selection: Selection): boolean;
  /** Called when the core has just decided on a prefill worker, and booked its load. */
  onPrefillBooked(): void;
}

/**
 * Chooses the worker that answers a request, and the one that computes its prompt, if that is another one. Without
 * prefill workers this is one decision of the core; with them, a short prompt takes two, and another one up to four.
 */
export class PlanChooser<Worker extends RoutedWorker> {
  /** The workers from which the last decode worker was chosen. */
  readonly selection = new Selection();
  readonly #prefillSelection = new Selection();
  readonly #context: PlanContext<Worker>;
  // What follows from the workers; undefined after a change.
  #hasPrefill: boolean | undefined;
  #needingPrefill: readonly number[] | undefined;
  #notReceiving: readonly number[] | undefined;
  readonly #otherFormats = new Map<string, readonly number[]>();
  /** The worker that would do everything for the current request, once it is known. */
  #local: Chosen | undefined;
  /** Reused for every request. */
  readonly #plan: PlanDecision = {
    decode: undefined as never,
    prefill: undefined,
    reason: undefined,
    waits: false,
  };

  constructor(context: PlanContext<Worker>) {
    this.#context = context;
  }

  /**
   * @param now on the clock of `performance.now()`
   * @param seconds on the core's clock
   * @param books whether to book the load
   * @param tokensAhead prompt tokens that wait for prefill workers and go first
   * @returns an object that is reused: read it before the next call
   */
  choose(
    request: RouteRequest<Worker>,
    now: number,
    seconds: number,
    books: boolean,
    tokensAhead = 0,
  ): PlanDecision {
    const { chooser, workers, decode: filters } = this.#context;
    filters.narrow(this.selection, request, now);
    this.#local = undefined;
    const plan = this.#plan;
    plan.prefill = undefined;
    plan.reason = undefined;
    plan.waits = false;
    if (this.#needing.length > 0) this.selection.exclude(this.#needing);
    if (!this.#hasPrefillWorkers) {
      plan.decode = chooser.choose(request, this.selection, workers.roster, seconds, { books });
      return plan;
    }
    const found = this.#tooLittle(request) ?? this.#findRemote(request, now, seconds, tokensAhead);
    if (found === "wait") plan.waits = true;
    else if (typeof found === "string") {
      plan.reason = found;
      plan.decode = this.#chooseOne(request, seconds, books);
    } else {
      const { prefill, decode } = found;
      plan.prefill = books ? this.#book(request, prefill, this.#prefillSelection, seconds, false) : prefill;
      if (books) this.#context.onPrefillBooked();
      plan.decode = books ? this.#book(request, decode, this.selection, seconds, true) : decode;
    }
    return plan;
  }

  /** Chooses one worker for everything. */
  #chooseOne(request: RouteRequest<Worker>, seconds: number, books: boolean): Decision {
    const { chooser, workers } = this.#context;
    if (chooser.repeats) return chooser.choose(request, this.selection, workers.roster, seconds, { books });
    // Turns among prefill workers are not those among the others.
    const chosen = this.#local ?? this.#peek(request, this.selection, seconds, true);
    return books && chosen.worker >= 0 ? this.#book(request, chosen, this.selection, seconds, false) : chosen;
  }

  /**
   * Whether a prefill worker is likely to compute the prompt.
   * @param newTokens those of the prompt that no worker has cached
   */
  isForPrefill({ remotePrefill }: RouteRequest<Worker>, newTokens: number): boolean {
    if (!this.#hasPrefillWorkers || remotePrefill === undefined) return false;
    if (this.#needing.length > 0) return true;
    return remotePrefill === "possible" && newTokens >= this.#context.options.minTokens;
  }

  /** Workers have joined or left, or their readiness has changed. */
  refresh(): void {
    this.#context.decode.refresh();
    this.#context.prefill.refresh();
    this.#hasPrefill = undefined;
    this.#needingPrefill = undefined;
    this.#notReceiving = undefined;
    this.#otherFormats.clear();
  }

  get #hasPrefillWorkers(): boolean {
    this.#hasPrefill ??= this.#context.workers.all().some(isPrefillWorker);
    return this.#hasPrefill;
  }

  /** Core indices of the workers that answer only what a prefill worker has computed. */
  get #needing(): readonly number[] {
    this.#needingPrefill ??= this.#context.workers.indicesWhere(
      ({ worker }) => worker.instance.card.needsPrefill === true,
    );
    return this.#needingPrefill;
  }

  /** Core indices of the workers that cannot continue from others' KV blocks. */
  get #withoutImport(): readonly number[] {
    this.#notReceiving ??= this.#context.workers.indicesWhere(
      ({ worker }) => kvFormatOf(worker) === undefined,
    );
    return this.#notReceiving;
  }

  /** Core indices of the workers whose KV blocks have another format. */
  #withoutFormat(format: string): readonly number[] {
    let others = this.#otherFormats.get(format);
    if (others === undefined) {
      others = this.#context.workers.indicesWhere(({ worker }) => worker.instance.card.kvFormat !== format);
      this.#otherFormats.set(format, others);
    }
    return others;
  }

  /** Why no prefill worker need be looked for; undefined if one must be. */
  #tooLittle({ remotePrefill, prompt }: RouteRequest<Worker>): PrefillHereReason | undefined {
    if (remotePrefill === undefined) return "unsuited";
    // Some workers cannot do it all.
    if (this.#needing.length > 0) return undefined;
    if (remotePrefill === "avoided") return "failed";
    return prompt.tokens.length < this.#context.options.minTokens ? "short" : undefined;
  }

  /** A decode and a prefill worker, unless the request should run on one worker. Books nothing. */
  #findRemote(
    request: RouteRequest<Worker>,
    now: number,
    seconds: number,
    tokensAhead: number,
  ): { decode: Chosen; prefill: Chosen } | PrefillHereReason | "wait" {
    const { workers, options, prefill: filters } = this.#context;
    const { tokens } = request.prompt;
    // With a matter of turns, who would compute the prompt is who decodes.
    const { repeats } = this.#context.chooser;
    const local = this.#peek(request, this.selection, seconds, !repeats);
    this.#local = local;
    const newTokens = tokens.length - this.#cachedTokens(local);
    if (local.worker >= 0) {
      if (request.remotePrefill === "avoided") return "failed";
      if (newTokens < options.minTokens) return "short";
      if (newTokens < options.minShare * tokens.length) return "cached";
    }
    const isOther = repeats || this.#needing.length > 0;
    if (this.#needing.length > 0) this.#context.decode.narrow(this.selection, request, now);
    if (isOther) this.selection.exclude(this.#withoutImport);
    const decode = isOther ? this.#peek(request, this.selection, seconds, true) : local;
    const format = kvFormatOf(workers.roster[decode.worker]?.worker);
    if (format === undefined) return this.#giveUp(request, now, "none_ready");
    const selection = this.#prefillSelection;
    filters.narrow(selection, request, now);
    selection.exclude(this.#withoutFormat(format));
    // Those that wait get the next prefill worker.
    const prefill = tokensAhead > 0 ? undefined : this.#peek(request, selection, seconds, false);
    if (prefill === undefined || prefill.worker < 0) {
      if (prefill?.busyWorkers === 0) return this.#giveUp(request, now, "none_ready");
      if (!this.#context.mayWait(selection)) return this.#giveUp(request, now, "busy");
      const there = this.#tokensUntilQueued(tokens.length, tokensAhead);
      const isTooLong = local.worker >= 0 && this.#takesTooLong(tokens.length, there, decode, local);
      return isTooLong ? this.#giveUp(request, now, "slower") : "wait";
    }
    const there = this.#tokensUntil(tokens.length, prefill);
    if (local.worker >= 0 && this.#takesTooLong(tokens.length, there, decode, local))
      return this.#giveUp(request, now, "slower");
    return { decode, prefill };
  }

  /** All workers that may answer are candidates again. */
  #giveUp(request: RouteRequest<Worker>, now: number, reason: LocalPrefillReason): LocalPrefillReason {
    this.#context.decode.narrow(this.selection, request, now);
    this.selection.exclude(this.#needing);
    return reason;
  }

  /**
   * Compares the tokens that have to be computed before the first one of the answer, here and there.
   * @param there until the prefill worker has computed the prompt
   */
  #takesTooLong(tokens: number, there: number, decode: Chosen, local: Chosen): boolean {
    const { cost, options } = this.#context;
    const moved = (tokens - this.#cachedTokens(decode)) * cost.perToken;
    return there + moved > options.maxWait * this.#tokensUntil(tokens, local);
  }

  /** Tokens that the least busy prefill worker computes until it has computed those ahead and this prompt. */
  #tokensUntilQueued(tokens: number, tokensAhead: number): number {
    let [least, count] = [Number.POSITIVE_INFINITY, 0];
    for (const slot of this.#context.workers.roster) {
      if (slot === undefined || !slot.worker.isReady) continue;
      if (this.#prefillSelection.excluded.includes(slot.index)) continue;
      least = Math.min(least, this.#context.load(slot.index).activePrefillTokens);
      count++;
    }
    return least + tokensAhead / count + tokens;
  }

  /** Tokens that the worker computes until it has computed this prompt. */
  #tokensUntil(tokens: number, chosen: Chosen): number {
    return this.#context.load(chosen.worker).activePrefillTokens + tokens - this.#cachedTokens(chosen);
  }

  #cachedTokens({ overlapBlocks, hostBlocks, diskBlocks, sharedBlocks }: Decision): number {
    return (overlapBlocks + Math.max(hostBlocks + diskBlocks, sharedBlocks)) * this.#context.blockSize;
  }

  #peek(request: RouteRequest<Worker>, selection: Selection, seconds: number, decodeOnly: boolean): Chosen {
    const { chooser, workers } = this.#context;
    const decision = chooser.choose(request, selection, workers.roster, seconds, {
      books: false,
      decodeOnly,
    });
    return { ...decision, random: chooser.lastRandom };
  }

  /** Makes a decision again, with its booking. */
  #book(
    request: RouteRequest<Worker>,
    { worker, random }: Chosen,
    selection: Selection,
    seconds: number,
    decodeOnly: boolean,
  ): Decision {
    const { chooser, workers } = this.#context;
    if (!chooser.repeats) selection.only = worker;
    const mode = { books: true, decodeOnly, random };
    return { ...chooser.choose(request, selection, workers.roster, seconds, mode) };
  }
}

/** A copy of a decision, and the random number by which it was made. */
interface Chosen extends Decision {
  readonly random: number;
}

/** The format in which the worker takes KV blocks that another one has computed; undefined if it takes none. */
function kvFormatOf(worker: RoutedWorker | undefined): string | undefined {
  const card = worker?.instance.card;
  return card?.role === "decode" ? card.kvFormat : undefined;
}
