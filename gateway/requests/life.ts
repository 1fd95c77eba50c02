import { type ApiError, deadlineExceeded, requestTimedOut, toApiError } from "../kernel/errors.ts";
import type { Warnings } from "../kernel/warnings.ts";
import type { Member } from "../models/members/member.ts";
import type { ModelSide } from "../models/model.ts";
import type { RoutePreferences } from "../routing/preferences.ts";
import type { Prompt } from "../routing/prompt.ts";
import type { PendingRoute, RouteHandler } from "../routing/queue/route-source.ts";
import type { Route, RouteOutcome } from "../routing/route.ts";
import { type AttemptFailure, Attempts } from "./attempts.ts";
import { Handover } from "./handover.ts";
import type { RequestOptions } from "./options.ts";
import type { NextStep, Transfer } from "./transfer.ts";

/** What a request's life depends on. */
export interface LifeJob<Worker extends Member> {
  readonly requestId: string;
  readonly model: ModelSide<Worker>;
  readonly prompt: Prompt;
  readonly preferences: RoutePreferences;
  /** Whether a member may be asked although another one may have acted on the request already. */
  readonly isRepeatable: boolean;
  /** Whether another model is asked where this one cannot answer. */
  readonly hasFallback: boolean;
}

export interface LifeContext {
  readonly options: RequestOptions;
  readonly warnings: Warnings;
}

/** How an attempt failed, by the member's fault. */
export interface Fault {
  /** A sentence for people. */
  readonly reason: string;
  readonly failure: AttemptFailure;
  /** Default: the reason. */
  readonly cause?: Error | undefined;
}

/** Codes of errors by which a request has not come to a member. */
const UNSERVED = new Set([
  "no_worker_ready",
  "server_busy",
  "queue_full",
  "queue_displaced",
  "queue_timeout",
]);
/** Codes of errors by which a member has failed a request. */
const FAILED = new Set(["engine_failed", "worker_failed"]);

/**
 * One request's life, from the wait for a member to its end, whatever travels: it waits, is sent, tried elsewhere where
 * it fails, moved where its answer breaks off, and ended by its deadline or its client. The router, the member's health
 * and the latencies are told of each of these once.
 */
export class Life<Worker extends Member> implements RouteHandler<Worker> {
  /** Where it is now. */
  route: Route<Worker> | undefined;
  readonly #job: LifeJob<Worker>;
  readonly #transfer: Transfer<Worker>;
  readonly #context: LifeContext;
  readonly #attempts: Attempts<Worker>;
  #pending: PendingRoute | undefined;
  /** Its move to another member, if its own is leaving. */
  #handover: Handover<Worker> | undefined;
  /** Where it goes on after that move. */
  #next: Route<Worker> | undefined;
  /** How often it has asked for a member. */
  #asked = 0;
  #moves = 0;
  #isOver = false;
  #lastError: ApiError | undefined;
  #limit: ReturnType<typeof setTimeout> | undefined;
  #pause: ReturnType<typeof setTimeout> | undefined;
  /** Ends the wait for a sign that the member hangs. */
  #stopListening: (() => void) | undefined;
  #stopEvictions: (() => void) | undefined;
  #sentAt = 0;
  /** When the last piece of the answer came; undefined before the first one of this attempt. */
  #pieceAt: number | undefined;
  /** Tokens after which the answer takes up another block. */
  #nextBlockAt: number;

  constructor(job: LifeJob<Worker>, transfer: Transfer<Worker>, context: LifeContext) {
    this.#job = job;
    this.#transfer = transfer;
    this.#context = context;
    this.#attempts = new Attempts(context.options.retries);
    const { blockSize } = job.model;
    this.#nextBlockAt = blockSize - (job.prompt.tokens.length % blockSize);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether the member has begun to answer. */
  get isAnswering(): boolean {
    return this.#pieceAt !== undefined;
  }

  /** Whether it may be tried again where the running attempt fails. */
  get mayGoOn(): boolean {
    return this.#attempts.mayGoOn;
  }

  /** Whether a member is ready that the request has not failed on. */
  get hasOther(): boolean {
    const { excluded } = this.#transfer.routeRequest(this.#attempts.excluded);
    return this.#job.model
      .members()
      .some((member) => member !== this.route?.worker && member.isReady && !excluded.includes(member));
  }

  start(): void {
    const { totalMs } = this.#context.options;
    const { deadlineAt } = this.#job.preferences;
    const leftMs = deadlineAt === undefined ? totalMs : Math.min(totalMs, deadlineAt - performance.now());
    this.#limit = setTimeout(() => {
      this.fail(leftMs < totalMs ? deadlineExceeded() : requestTimedOut(totalMs / 1000));
    }, leftMs);
    this.#apply();
  }

  /** There is no more time for it. */
  stop(error: Error): void {
    this.fail(toApiError(error));
  }

  /** The client has gone. */
  cancel(): void {
    if (this.#isOver) return;
    this.#pending?.leave();
    const { isAnswering } = this;
    if (this.route !== undefined) this.#transfer.abort();
    this.end("cancelled");
    this.#transfer.onCancelled(isAnswering);
  }

  onRoute(route: Route<Worker>): void {
    this.#pending = undefined;
    this.route = route;
    const { hasLost } = this.#attempts;
    this.#attempts.begin();
    this.#pieceAt = undefined;
    this.#sentAt = performance.now();
    this.#stopListening = route.worker.hangs.add((reason) => this.#onHang(reason));
    this.#stopEvictions = route.worker.evictions.add(() => this.#onEviction());
    this.#transfer.send(route, hasLost);
  }

  onRefused(error: Error): void {
    this.#pending = undefined;
    if (this.#attempts.forgive()) this.#tryAgain(false);
    // We already know that the failed ones cannot serve it.
    else this.fail(this.#lastError ?? toApiError(error));
  }

  /**
   * A piece of the answer has come.
   * @param isStreamed whether pieces come as tokens do
   */
  onPiece(isStreamed: boolean): void {
    const now = performance.now();
    if (this.#pieceAt === undefined) this.#onFirstPiece(now);
    else if (isStreamed) this.#job.model.metrics.interTokenLatency.observe((now - this.#pieceAt) / 1000);
    this.#pieceAt = now;
  }

  /** @param tokens that the answer has by now, or about so many */
  grow(tokens: number): void {
    const { blockSize } = this.#job.model;
    while (tokens >= this.#nextBlockAt) {
      this.route?.grow(1);
      this.#nextBlockAt += blockSize;
    }
  }

  /** The member answers, if only to refuse: it does not hang. */
  onAnswered(): void {
    this.#stopListening?.();
  }

  /** The member will not serve the request, by no fault of its own; another one may. */
  refuse(error: ApiError): void {
    if (this.#isOver) return;
    this.#attempts.failOn(this.route!.worker, "answered");
    if (this.#attempts.mayGoOn) this.#goOn(error);
    else this.fail(error);
  }

  /** The member has failed the request, before or in the middle of its answer. */
  break({ reason, failure, cause }: Fault): void {
    if (this.#isOver) return;
    const { worker } = this.route!;
    this.#leaveMember();
    this.#transfer.abort();
    worker.reportFailure(reason, failure === "unsent");
    this.#context.warnings.warn(`${worker.instance.name} failed`, "a worker failed a request", {
      request: this.#job.requestId,
      worker: worker.instance.name,
      reason,
    });
    this.#attempts.failOn(worker, failure);
    const error = this.#transfer.failureOf(cause ?? reason);
    if (this.#transfer.hasBegun) this.#move(error, this.#moveBound);
    else if ((failure === "unsent" || this.#job.isRepeatable) && this.#attempts.mayGoOn) this.#goOn(error);
    else this.fail(error);
  }

  /** Nobody can answer it. */
  fail(error: ApiError): void {
    if (this.#isOver) return;
    this.#pending?.leave();
    if (this.route !== undefined) this.#transfer.abort();
    const isPassedOn = this.#job.hasFallback && !this.#transfer.hasBegun && this.#mayFallBack(error);
    this.end("failed");
    if (isPassedOn) this.#transfer.onPassedOn(error);
    else this.#transfer.onFailed(error);
  }

  /** The one place where it ends for the router. */
  end(outcome: RouteOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leaveMember();
    clearTimeout(this.#limit);
    clearTimeout(this.#pause);
    this.route?.free(outcome);
    this.#next?.free("cancelled");
  }

  #apply(): void {
    const request = this.#transfer.routeRequest(this.#attempts.excluded);
    const asked = ++this.#asked;
    const pending = this.#job.model.admission.apply(request, this);
    // It may have been routed, have failed and wait again by now.
    if (asked === this.#asked) this.#pending = pending;
  }

  #onFirstPiece(now: number): void {
    this.#stopListening?.();
    const { metrics } = this.#job.model;
    const route = this.route!;
    route.firstToken();
    metrics.timeToFirstToken.observe((now - this.#sentAt) / 1000);
    metrics.overlapBlocks.observe(route.overlapBlocks);
  }

  /** There is no use in waiting, where another member is ready. */
  #onHang(reason: string): void {
    if (!this.#job.isRepeatable || !this.#attempts.mayGoOn || !this.hasOther) return;
    try {
      this.break({ reason, failure: "lost" });
    } catch (error) {
      this.fail(toApiError(error));
    }
  }

  /** Whether another model may answer: nobody has acted on the request, or it does not matter. */
  #mayFallBack({ code }: ApiError): boolean {
    if (code === null) return false;
    return FAILED.has(code) ? this.#job.isRepeatable : UNSERVED.has(code);
  }

  /** @param bound why the answer may not move, for people; undefined if it may */
  #move(error: ApiError, bound: string | undefined): void {
    const step = this.#transfer.nextStep(bound);
    if (!(step instanceof Promise)) this.#take(step, error);
    else
      step.then(
        (next) => this.#take(next, error),
        (fault: unknown) => this.fail(toApiError(fault)),
      );
  }

  #take(step: NextStep<Worker>, error: ApiError): void {
    if (this.#isOver) return;
    switch (step.kind) {
      case "give-up":
        this.#giveUp(step.obstacle, error);
        break;
      case "complete":
        step.complete();
        break;
      case "move":
        // A move off a member that is leaving says nothing about the request.
        if (this.#next === undefined) this.#moves++;
        this.#attempts.move(step.unable);
        step.prepare();
        this.#goOn(error);
    }
  }

  /** Why the answer may not move again; undefined where it may. */
  get #moveBound(): string | undefined {
    if (!this.#attempts.mayMove) return "two workers have been lost to it";
    return this.#moves < this.#context.options.migrationLimit
      ? undefined
      : "it has moved as often as --migration-limit allows";
  }

  #giveUp(obstacle: string, error: ApiError): void {
    this.#context.warnings.warn(`not continued ${obstacle}`, "a broken answer was not continued elsewhere", {
      request: this.#job.requestId,
      reason: obstacle,
    });
    this.fail(error);
  }

  #goOn(error: ApiError): void {
    this.#lastError = error;
    this.#clearRoute();
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) this.#tryAgain(true);
    else this.onRoute(next);
  }

  /** The member is leaving: moves the request, if that is possible. */
  #onEviction(): void {
    if (this.#next !== undefined || this.#handover?.isOver === false) return;
    const unable = this.#unableToTakeOver;
    if (unable === undefined) return;
    const handover = new Handover<Worker>((next) => this.#takeOver(next, unable));
    this.#handover = handover;
    const excluded = [...this.#attempts.excluded, ...unable, this.route!.worker];
    handover.search(this.#job.model.admission, this.#transfer.routeRequest(excluded));
  }

  /** Members that cannot take the request over as it is now; undefined if none can. */
  get #unableToTakeOver(): readonly Worker[] | undefined {
    if (this.#transfer.hasBegun) return this.#transfer.unableToContinue();
    return this.#job.isRepeatable ? [] : undefined;
  }

  /** Another member has room: cuts the answer of the one that is leaving, and continues it there. */
  #takeOver(next: Route<Worker>, unable: readonly Worker[]): void {
    const error = this.#transfer.failureOf("The worker is leaving.");
    this.#next = next;
    this.#transfer.abort();
    if (this.#transfer.hasBegun) this.#move(error, undefined);
    else {
      this.#attempts.move(unable);
      this.#goOn(error);
    }
  }

  #clearRoute(): void {
    this.#leaveMember();
    this.#pieceAt = undefined;
    this.route?.free("moved");
    this.route = undefined;
    this.#transfer.reset();
  }

  #leaveMember(): void {
    this.#stopListening?.();
    this.#stopEvictions?.();
    this.#handover?.cancel();
    this.#handover = undefined;
  }

  #tryAgain(isElsewhere: boolean): void {
    const ms = this.#attempts.pauseMs(isElsewhere);
    if (ms === 0) this.#apply();
    else this.#pause = setTimeout(() => this.#apply(), ms);
  }
}
