import type { Warnings } from "#runtime";
import {
  type ApiError,
  deadlineExceeded,
  gatewayExhausted,
  requestTimedOut,
  toApiError,
} from "../kernel/errors.ts";
import { isLocalExhaustion } from "../kernel/exhaustion.ts";
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
import { whyNotContinued } from "./why-not-continued.ts";

/** A request, as its life sees it. */
export interface LifeJob<Worker extends Member> {
  readonly requestId: string;
  readonly model: ModelSide<Worker>;
  readonly prompt: Prompt;
  readonly preferences: RoutePreferences;
  /** Whether the request may be sent again although a member may already have acted on it. */
  readonly isRepeatable: boolean;
  /** Whether another model is tried if this one cannot answer. */
  readonly hasFallback: boolean;
}

/** A request in flight that can be stopped early. */
export interface Stoppable {
  stop(error: Error): void;
}

export interface LifeContext {
  readonly options: RequestOptions;
  readonly warnings: Warnings;
  /** All requests in flight. */
  readonly running: Set<Stoppable>;
}

/** How a member failed an attempt. */
export interface FailedAttempt {
  /** A sentence for logs. */
  readonly reason: string;
  readonly failure: AttemptFailure;
  /** Default: the reason. */
  readonly cause?: Error | undefined;
}

/** Error codes of requests that reached no member. */
const UNSERVED = new Set([
  "no_worker_ready",
  "server_busy",
  "queue_full",
  "queue_displaced",
  "queue_timeout",
]);
/** Error codes of requests that a member failed. */
const FAILED = new Set(["engine_failed", "worker_failed"]);

/**
 * One request's life, whatever the transfer carries: it waits for a member, is sent, retried elsewhere if it fails,
 * moved if its answer breaks off, and ended by completion, its deadline or its client. Each of these is reported to
 * the router, the member's health and the metrics exactly once.
 */
export class Life<Worker extends Member> implements RouteHandler<Worker>, Stoppable {
  /** The current route. */
  route: Route<Worker> | undefined;
  readonly #job: LifeJob<Worker>;
  readonly #transfer: Transfer<Worker>;
  readonly #context: LifeContext;
  readonly #attempts: Attempts<Worker>;
  #pending: PendingRoute | undefined;
  /** The search for another member while its own is leaving. */
  #handover: Handover<Worker> | undefined;
  /** The route on which it continues after the handover. */
  #next: Route<Worker> | undefined;
  /** How many times it has applied for a member. */
  #applications = 0;
  #moves = 0;
  #isOver = false;
  #lastError: ApiError | undefined;
  #limit: ReturnType<typeof setTimeout> | undefined;
  #pause: ReturnType<typeof setTimeout> | undefined;
  /** Stops listening for a sign that the member hangs. */
  #stopListening: (() => void) | undefined;
  #stopEvictions: (() => void) | undefined;
  #sentAt = 0;
  /** When the last piece of the answer arrived; undefined before the first piece of this attempt. */
  #pieceAt: number | undefined;
  /** Answer length in tokens at which the next block begins. */
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

  /** Whether it may be retried if the current attempt fails. */
  get mayRetry(): boolean {
    return this.#attempts.mayRetry;
  }

  /** Whether another member is ready that has not failed the request. */
  get hasAlternative(): boolean {
    const { excluded } = this.#transfer.routeRequest(this.#attempts.excluded);
    return this.#job.model
      .members()
      .some((member) => member !== this.route?.worker && member.isReady && !excluded.includes(member));
  }

  start(): void {
    const { options, running } = this.#context;
    const { totalMs } = options;
    running.add(this);
    const { deadlineAt } = this.#job.preferences;
    const leftMs = deadlineAt === undefined ? totalMs : Math.min(totalMs, deadlineAt - performance.now());
    this.#limit = setTimeout(
      () => {
        this.fail(leftMs < totalMs ? deadlineExceeded() : requestTimedOut(totalMs / 1000));
      },
      Math.max(0, leftMs),
    );
    this.#apply();
  }

  /** Ends it with an error from outside, such as a shutdown. */
  stop(error: Error): void {
    this.fail(toApiError(error));
  }

  /** The client has disconnected. */
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
    const { needsFreshConnection } = this.#attempts;
    this.#attempts.begin();
    this.#pieceAt = undefined;
    this.#sentAt = performance.now();
    this.#stopListening = route.worker.hangs.add((reason) => this.#onHang(reason));
    this.#stopEvictions = route.worker.evictions.add(() => this.#onEviction());
    this.#transfer.send(route, needsFreshConnection);
  }

  onRefused(error: Error): void {
    this.#pending = undefined;
    if (this.#attempts.clearFailed()) this.#applyAfterPause(false);
    // The last failure says more than that no member is left.
    else {
      const failure = this.#lastError ?? toApiError(error);
      if (this.#transfer.hasBegun) this.#giveUp(whyNotContinued(error, this.#job.model), failure);
      else this.fail(failure);
    }
  }

  /**
   * A piece of the answer has arrived.
   * @param isStreamed whether pieces arrive as tokens are generated
   */
  onPiece(isStreamed: boolean): void {
    const now = performance.now();
    if (this.#pieceAt === undefined) this.#onFirstPiece(now);
    else if (isStreamed) this.#job.model.metrics.interTokenLatency.observe((now - this.#pieceAt) / 1000);
    this.#pieceAt = now;
  }

  /** @param tokens length of the answer so far, possibly an estimate */
  grow(tokens: number): void {
    const { blockSize } = this.#job.model;
    while (tokens >= this.#nextBlockAt) {
      this.route?.grow(1);
      this.#nextBlockAt += blockSize;
    }
  }

  /** The member has responded, if only to refuse, so it does not hang. */
  onAnswered(): void {
    this.#stopListening?.();
  }

  /** The member refuses the request, which is no fault of the member; another one may accept it. */
  refuse(error: ApiError, failure: AttemptFailure = "answered"): void {
    if (this.#isOver) return;
    this.#attempts.recordFailure(this.route!.worker, failure);
    if (this.#attempts.mayRetry) this.#retryElsewhere(error);
    else if (this.#transfer.hasBegun) this.#giveUp("too many attempts to continue it have failed", error);
    else this.fail(error);
  }

  /** The member has failed the request, before or during its answer. */
  break({ reason, failure, cause }: FailedAttempt): void {
    if (this.#isOver) return;
    const { worker } = this.route!;
    this.#leaveMember();
    this.#transfer.abort();
    if (isLocalExhaustion(cause)) {
      this.#onExhaustion(cause);
      return;
    }
    worker.reportFailure(reason, failure === "unsent");
    this.#context.warnings.warn(`${worker.instance.name} failed`, "a worker failed a request", {
      request: this.#job.requestId,
      worker: worker.instance.name,
      reason,
    });
    this.#attempts.recordFailure(worker, failure);
    const error = this.#transfer.failureOf(cause ?? reason);
    if (this.#transfer.hasBegun) this.#move(error, this.#moveObstacle);
    else if ((failure === "unsent" || this.#job.isRepeatable) && this.#attempts.mayRetry)
      this.#retryElsewhere(error);
    else this.fail(error);
  }

  /** This process could not connect: the member is not at fault, and may be tried again. */
  #onExhaustion(cause: unknown): void {
    const { warnings } = this.#context;
    warnings.warn("exhaustion", "no open files or ports are left for connections", { reason: String(cause) });
    const error = gatewayExhausted(cause);
    if (this.#transfer.hasBegun) this.#move(error, this.#moveObstacle);
    else if (this.#attempts.mayRetry) this.#retry(error, false);
    else this.fail(error);
  }

  /** No member can answer it. */
  fail(error: ApiError): void {
    if (this.#isOver) return;
    this.#pending?.leave();
    if (this.route !== undefined) this.#transfer.abort();
    const fallsBack = this.#job.hasFallback && !this.#transfer.hasBegun && this.#mayFallBack(error);
    this.end("failed");
    if (fallsBack) this.#transfer.onFallback(error);
    else this.#transfer.onFailed(error);
  }

  /** Ends it. The only place that frees its route at the end. */
  end(outcome: RouteOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#context.running.delete(this);
    this.#leaveMember();
    clearTimeout(this.#limit);
    clearTimeout(this.#pause);
    this.route?.free(outcome);
    this.#next?.free("cancelled");
  }

  #apply(): void {
    const request = this.#transfer.routeRequest(this.#attempts.excluded);
    const application = ++this.#applications;
    const pending = this.#job.model.admission.apply(request, this);
    // By now it may have been routed, failed, and applied again.
    if (application === this.#applications) this.#pending = pending;
  }

  #onFirstPiece(now: number): void {
    this.#stopListening?.();
    const { metrics } = this.#job.model;
    const route = this.route!;
    route.firstToken();
    metrics.timeToFirstToken.observe((now - this.#sentAt) / 1000);
    metrics.overlapBlocks.observe(route.overlapBlocks);
  }

  /** Retries on another member if one is ready, instead of waiting. */
  #onHang(reason: string): void {
    if (!this.#job.isRepeatable || !this.#attempts.mayRetry || !this.hasAlternative) return;
    try {
      this.break({ reason, failure: "lost" });
    } catch (error) {
      this.fail(toApiError(error));
    }
  }

  /** Whether another model may answer: no member has acted on the request, or it is repeatable. */
  #mayFallBack({ code }: ApiError): boolean {
    if (code === null) return false;
    return FAILED.has(code) ? this.#job.isRepeatable : UNSERVED.has(code);
  }

  /** @param obstacle why the answer may not move, for logs; undefined if it may */
  #move(error: ApiError, obstacle: string | undefined): void {
    const step = this.#transfer.nextStep(obstacle);
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
        // A handover from a leaving member does not count towards the limit.
        if (this.#next === undefined) this.#moves++;
        this.#attempts.move(step.unable);
        step.prepare();
        this.#retryElsewhere(error);
    }
  }

  /** Why the answer may not move again; undefined if it may. */
  get #moveObstacle(): string | undefined {
    if (!this.#attempts.mayMove)
      return "two workers were lost during this request, which may be what kills them";
    return this.#moves < this.#context.options.migrationLimit
      ? undefined
      : "it has reached --migration-limit";
  }

  #giveUp(obstacle: string, error: ApiError): void {
    this.#context.warnings.warn(`not continued ${obstacle}`, "a broken answer was not continued elsewhere", {
      request: this.#job.requestId,
      reason: obstacle,
    });
    this.fail(error);
  }

  #retryElsewhere(error: ApiError): void {
    this.#retry(error, true);
  }

  /** @param isElsewhere whether to avoid members that have failed */
  #retry(error: ApiError, isElsewhere: boolean): void {
    this.#lastError = error;
    this.#clearRoute();
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) this.#applyAfterPause(isElsewhere);
    else this.onRoute(next);
  }

  /** The member is leaving: hands the request over to another one, if possible. */
  #onEviction(): void {
    if (this.#next !== undefined || this.#handover?.isOver === false) return;
    const unable = this.#unableToTakeOver;
    if (unable === undefined) return;
    const handover = new Handover<Worker>((next) => this.#takeOver(next, unable));
    this.#handover = handover;
    const excluded = [...this.#attempts.excluded, ...unable, this.route!.worker];
    handover.search(this.#job.model.admission, this.#transfer.routeRequest(excluded));
  }

  /** Members that cannot take the request over in its current state; undefined if none can. */
  get #unableToTakeOver(): readonly Worker[] | undefined {
    if (this.#transfer.hasBegun) return this.#transfer.unableToContinue();
    return this.#job.isRepeatable ? [] : undefined;
  }

  /** Cuts the answer of the leaving member, and continues it on the new route. */
  #takeOver(next: Route<Worker>, unable: readonly Worker[]): void {
    const error = this.#transfer.failureOf("The worker is leaving.");
    this.#next = next;
    this.#transfer.abort();
    if (this.#transfer.hasBegun) this.#move(error, undefined);
    else {
      this.#attempts.move(unable);
      this.#retryElsewhere(error);
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

  #applyAfterPause(isElsewhere: boolean): void {
    const ms = this.#attempts.pauseMs(isElsewhere);
    if (ms === 0) this.#apply();
    else this.#pause = setTimeout(() => this.#apply(), ms);
  }
}
