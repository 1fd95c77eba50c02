import {
  type ApiError,
  deadlineExceeded,
  engineFailed,
  requestTimedOut,
  toApiError,
} from "../../kernel/errors.ts";
import type { Warnings } from "../../kernel/warnings.ts";
import type { TargetWorker } from "../../models/members/engine-target.ts";
import type { Applicant, QueueTicket } from "../../routing/queue/route-source.ts";
import type { Route, RouteOutcome, RouteRequest } from "../../routing/route.ts";
import {
  type HttpCall,
  HttpError,
  type HttpHead,
  type HttpReceiver,
  type HttpTransport,
} from "../../wire/types.ts";
import type { Placement } from "../tokens/job.ts";
import { AnswerBody, type AnswerUsage } from "./answer-body.ts";
import { type AttemptFailure, Attempts, isRedirect, isRetried } from "./attempts.ts";
import { engineRequest } from "./engine-request.ts";
import type { ForwardJob, ForwardOptions, ForwardOutput } from "./job.ts";
import { nextStepOf } from "./next-step.ts";
import { countedUsage, countUsage, noteAnswer, promptBlocksOf, usageOf } from "./note-answer.ts";
import type { PartialAnswer } from "./partial-answer.ts";
import { reportAnswer, statusReason } from "./report-answer.ts";

export interface ForwardContext {
  readonly transport: HttpTransport;
  readonly options: ForwardOptions;
  readonly warnings: Warnings;
}

/** Codes of errors by which a request has not come to an engine. */
const UNSERVED = new Set([
  "no_worker_ready",
  "server_busy",
  "queue_full",
  "queue_displaced",
  "queue_timeout",
]);

/** How long an engine may take over the body of an error, in milliseconds, before another one is asked. */
const REFUSAL_MS = 1_000;

/**
 * One forwarded request's life: routed, sent, its answer passed on, and reported to the router. What breaks before
 * the client has anything is tried elsewhere; a stream that breaks later is continued elsewhere.
 */
export class Forwarding implements HttpReceiver, Applicant<TargetWorker> {
  readonly #job: ForwardJob;
  readonly #output: ForwardOutput;
  readonly #context: ForwardContext;
  readonly #answer: AnswerBody;
  readonly #attempts: Attempts;
  #moves = 0;
  #route: Route<TargetWorker> | undefined;
  #ticket: QueueTicket | undefined;
  #call: HttpCall | undefined;
  /** Ends the wait for the first byte. */
  #stopWaiting: (() => void) | undefined;
  #isOver = false;
  #lastError: Error | undefined;
  #limit: ReturnType<typeof setTimeout> | undefined;
  #backOff: ReturnType<typeof setTimeout> | undefined;
  #sentAt = 0;
  #hasFirstByte = false;
  /** Why the engine refuses the request, while its answer that says so is awaited. */
  #refusal: Error | undefined;
  /** Characters that the answer had when it moved last. */
  #textBefore = 0;
  /** Tokens after which the answer takes up another block. */
  #nextBlockAt: number;

  constructor(job: ForwardJob, output: ForwardOutput, context: ForwardContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.#attempts = new Attempts(context.options.retries);
    this.#nextBlockAt = job.model.blockSize - (job.prompt.length % job.model.blockSize);
    this.#answer = new AnswerBody(job, {
      placement: () => this.#placement,
      reply: (head, placement) => this.#openReply(head, placement),
    });
  }

  start(): void {
    const { totalMs } = this.#context.options;
    const { deadlineAt } = this.#job.preferences;
    const leftMs = deadlineAt === undefined ? totalMs : Math.min(totalMs, deadlineAt - performance.now());
    this.#limit = setTimeout(() => {
      this.#fail(leftMs < totalMs ? deadlineExceeded() : requestTimedOut(totalMs / 1000));
    }, leftMs);
    this.#apply();
  }

  /** There is no more time for it. */
  stop(error: Error): void {
    this.#fail(error);
  }

  /** The client has gone. */
  cancel(): void {
    if (this.#isOver) return;
    // What has come so far shows that the engine works.
    if (this.#route !== undefined && this.#hasFirstByte && this.#refusal === undefined)
      reportAnswer(this.#route.worker.engine, this.#job, this.#answer.status);
    this.#ticket?.leave();
    this.#call?.cancel();
    this.#close("cancelled");
    this.#answer.release();
    this.#output.onSettled(499, this.#taken);
  }

  onRoute(route: Route<TargetWorker>): void {
    this.#ticket = undefined;
    this.#route = route;
    this.#attempts.begin();
    this.#hasFirstByte = false;
    this.#refusal = undefined;
    this.#sentAt = performance.now();
    const { engine } = route.worker;
    const { connectMs, firstByteMs, idleMs } = this.#context.options;
    const request = engineRequest(this.#job, route, {
      continuedBody: this.#answer.requestBody,
      mayReuse: !this.#attempts.hasLost,
    });
    this.#call = this.#context.transport.call(request, this, { connectMs, firstByteMs, idleMs });
    this.#stopWaiting = engine.hangs.add((reason) => this.#onHang(reason));
  }

  onRefused(error: Error): void {
    this.#ticket = undefined;
    if (this.#attempts.forgive()) this.#tryAgain(false);
    // We already know that the failed ones cannot serve it.
    else this.#fail(this.#lastError ?? error);
  }

  onHead(head: HttpHead): void {
    if (isRedirect(head)) {
      this.#onBroken(
        "The engine sends requests on to another address; that one is to be attached.",
        undefined,
      );
      return;
    }
    const { isRepeatable, hasFallback } = this.#job;
    const { mayGoOn } = this.#attempts;
    const isRefusal =
      (isRetried(head.status) && (mayGoOn || hasFallback) && !this.#isOnlyBusy(head)) ||
      // Not all engines of a model have an adapter at once.
      (head.status === 404 && mayGoOn && this.#job.modelName !== undefined && this.#hasOther);
    if (isRefusal && isRepeatable) {
      this.#onRefusal(head);
      return;
    }
    this.#answer.begin(head);
    if (this.#answer.isBroken) this.#onBroken(this.#answer.fault, undefined);
  }

  onBytes(wire: Uint8Array, isFramed: boolean): boolean {
    if (!this.#hasFirstByte) this.#onFirstByte();
    const answer = this.#answer;
    const isHeld = answer.take(wire, isFramed);
    this.#grow();
    if (answer.isBroken) this.#onBroken(answer.fault, undefined);
    else if (answer.isFull) this.#call?.pause();
    return isHeld;
  }

  onEnd(wire: Uint8Array, isFramed: boolean): boolean {
    if (!this.#hasFirstByte) this.#onFirstByte();
    const answer = this.#answer;
    const isHeld = answer.finish(wire, isFramed);
    this.#grow();
    if (this.#refusal !== undefined) this.#afterRefusal(this.#refusal);
    else if (answer.isBroken) this.#onBroken(answer.fault, undefined);
    else {
      reportAnswer(this.#route!.worker.engine, this.#job, answer.status);
      this.#succeed();
    }
    return isHeld;
  }

  onError(error: HttpError): void {
    if (this.#refusal !== undefined) this.#afterRefusal(this.#refusal);
    else this.#onBroken(error.message, error);
  }

  #apply(): void {
    this.#ticket = this.#job.model.admission.apply(this.#request, this);
  }

  /** Checks have found that the engine answers nothing: there is no use in waiting, where another one is ready. */
  #onHang(reason: string): void {
    const { isRepeatable } = this.#job;
    if (
      this.#hasFirstByte ||
      this.#refusal !== undefined ||
      !isRepeatable ||
      !this.#attempts.mayGoOn ||
      !this.#hasOther
    )
      return;
    try {
      this.#onBroken(reason, new HttpError("timeout", reason));
    } catch (error) {
      this.#fail(toApiError(error));
    }
  }

  #onFirstByte(): void {
    this.#hasFirstByte = true;
    this.#stopWaiting?.();
    if (this.#refusal !== undefined) return;
    const { metrics } = this.#job.model;
    const route = this.#route!;
    route.firstToken();
    metrics.timeToFirstToken.observe((performance.now() - this.#sentAt) / 1000);
    metrics.overlapBlocks.observe(route.overlapBlocks);
  }

  /** Whether the engine, which is the only one, asks for a pause: how long, its client reads in its own words. */
  #isOnlyBusy({ status }: HttpHead): boolean {
    return status === 429 && !this.#job.hasFallback && !this.#hasOther;
  }

  /** Whether an engine is ready that the request has not failed on. */
  get #hasOther(): boolean {
    const { excluded } = this.#request;
    return this.#job.model
      .members()
      .some((worker) => worker !== this.#route?.worker && worker.isReady && !excluded.includes(worker));
  }

  /** Books what the answer has come to need. */
  #grow(): void {
    const { tokens } = this.#answer;
    while (tokens >= this.#nextBlockAt) {
      this.#route?.grow(1);
      this.#nextBlockAt += this.#job.model.blockSize;
    }
  }

  /** The engine will not serve the request; another one may. What it says is waited for, but not for long. */
  #onRefusal(head: HttpHead): void {
    reportAnswer(this.#route!.worker.engine, this.#job, head.status);
    const refusal = engineFailed(statusReason(head.status), this.#boundTo);
    this.#refusal = refusal;
    this.#answer.beginRefusal(head);
    this.#backOff = setTimeout(() => {
      this.#call?.cancel();
      this.#afterRefusal(refusal);
    }, REFUSAL_MS);
  }

  #afterRefusal(refusal: Error): void {
    clearTimeout(this.#backOff);
    this.#refusal = undefined;
    this.#attempts.failOn(this.#route!.worker, "answered");
    if (this.#attempts.mayGoOn) this.#moveOn(refusal);
    else this.#fail(refusal);
  }

  /** The engine has failed the request, before or in the middle of its answer. */
  #onBroken(reason: string, error: HttpError | undefined): void {
    if (this.#isOver) return;
    if (this.#answer.hasClientError) {
      this.#endWithError();
      return;
    }
    const { engine } = this.#route!.worker;
    const isUnsent = error?.code === "unsent";
    this.#call?.cancel();
    engine.reportFailure(reason, isUnsent);
    this.#context.warnings.warn(`${engine.name} failed`, "an engine failed a request", {
      request: this.#job.requestId,
      engine: engine.name,
      reason,
    });
    const partial = this.#answer.hasBegun ? this.#answer.readPartial() : undefined;
    this.#attempts.failOn(this.#route!.worker, this.#failureOf(error, partial));
    const failure = engineFailed(error ?? reason, this.#boundTo);
    if (this.#answer.hasBegun)
      void this.#migrate(partial, failure).catch((cause: unknown) => this.#fail(toApiError(cause)));
    else if ((isUnsent || this.#job.isRepeatable) && this.#attempts.mayGoOn) this.#moveOn(failure);
    else this.#fail(failure);
  }

  /** The client has been told what is wrong with its request; how the engine ends after that does not matter. */
  #endWithError(): void {
    this.#call?.cancel();
    this.#answer.end();
    reportAnswer(this.#route!.worker.engine, this.#job, this.#answer.status);
    this.#succeed();
  }

  #failureOf(error: HttpError | undefined, partial: PartialAnswer | undefined): AttemptFailure {
    if (error === undefined || error.code === "garbage") return "answered";
    if (error.code === "unsent") return "unsent";
    return partial !== undefined && partial.text.length > this.#textBefore ? "answered" : "lost";
  }

  /** Continues the client's stream on another engine, from where it stops. */
  async #migrate(partial: PartialAnswer | undefined, failure: Error): Promise<void> {
    const { tokensPerEvent } = this.#answer;
    const step = await nextStepOf(this.#job, { partial, tokensPerEvent, bound: this.#moveBound });
    if (this.#isOver) return;
    switch (step.kind) {
      case "give-up":
        this.#giveUp(step.obstacle, failure);
        break;
      case "complete":
        this.#answer.complete(partial!, step.missing);
        this.#succeed();
        break;
      case "move": {
        this.#moves++;
        const needsPartial = this.#job.events === "chat" && partial!.text !== "";
        const members = needsPartial ? this.#job.model.members() : [];
        this.#attempts.move(members.filter(({ engine }) => !engine.continuesMessages));
        this.#answer.continueWith(step.body, partial!, step.tokens);
        this.#textBefore = partial!.text.length;
        this.#moveOn(failure);
      }
    }
  }

  /** Why the answer may not move again; undefined where it may. */
  get #moveBound(): string | undefined {
    if (!this.#attempts.mayMove) return "two engines have been lost to it";
    return this.#moves < this.#context.options.migrationLimit
      ? undefined
      : "it has moved as often as --migration-limit allows";
  }

  #giveUp(obstacle: string, failure: Error): void {
    this.#context.warnings.warn(`not continued ${obstacle}`, "a broken answer was not continued elsewhere", {
      request: this.#job.requestId,
      reason: obstacle,
    });
    this.#fail(failure);
  }

  #moveOn(error: Error): void {
    this.#stopWaiting?.();
    this.#lastError = error;
    this.#route?.free("moved");
    this.#route = undefined;
    this.#call = undefined;
    this.#answer.reset();
    this.#tryAgain(true);
  }

  #tryAgain(isElsewhere: boolean): void {
    const ms = this.#attempts.pauseMs(isElsewhere);
    if (ms === 0) this.#apply();
    else this.#backOff = setTimeout(() => this.#apply(), ms);
  }

  #succeed(): void {
    if (this.#isOver) return;
    const { status } = this.#answer;
    noteAnswer(this.#job, this.#route, this.#answer);
    this.#close(status < 500 ? "finished" : "failed");
    const counted = countedUsage(this.#job, this.#answer);
    if (counted !== undefined) {
      this.#output.onAnswered();
      void counted.then((taken) => this.#settle(taken));
    } else this.#settle(this.#taken);
  }

  #settle(taken: AnswerUsage): void {
    const { status, cachedTokens } = this.#answer;
    if (status < 400) countUsage(this.#job, taken, cachedTokens);
    this.#output.onSettled(status, status < 400 ? taken : undefined);
    this.#answer.release();
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#call?.cancel();
    this.#ticket?.leave();
    const { hasBegun, hasRefusal } = this.#answer;
    this.#close("failed");
    const apiError = toApiError(error);
    if (!hasBegun && this.#job.hasFallback && this.#mayFallBack(apiError)) {
      this.#output.onPassedOn(apiError);
      return;
    }
    if (!hasBegun && hasRefusal && apiError.code === "engine_failed") {
      this.#answer.giveRefusal();
      this.#output.onSettled(this.#answer.status);
    } else {
      this.#output.onSettled(apiError.status, hasBegun ? this.#taken : undefined);
      if (hasBegun) this.#answer.breakOff(apiError);
      else this.#output.onFailure(error);
    }
    this.#answer.release();
  }

  /** Whether another model may answer: nobody has acted on the request, or it does not matter. */
  #mayFallBack({ code }: ApiError): boolean {
    if (code === "engine_failed") return this.#job.isRepeatable;
    return code !== null && UNSERVED.has(code);
  }

  /** The one place where it ends for the router. */
  #close(outcome: RouteOutcome): void {
    this.#isOver = true;
    this.#stopWaiting?.();
    clearTimeout(this.#limit);
    clearTimeout(this.#backOff);
    this.#route?.free(outcome);
  }

  /** Tokens by the engine's own account, or about that. */
  get #taken(): AnswerUsage {
    return usageOf(this.#job, this.#answer);
  }

  get #placement(): Placement {
    const { worker, rank, overlapBlocks } = this.#route!;
    return {
      worker: worker.instance.name,
      workerId: worker.instance.id,
      dataParallelRank: rank,
      overlapBlocks,
      promptBlocks: promptBlocksOf(this.#job),
    };
  }

  #openReply(head: HttpHead, placement: Placement) {
    const reply = this.#output.reply(head, placement);
    reply.onAbort = () => this.cancel();
    reply.onWritable = () => this.#call?.resume();
    return reply;
  }

  get #request(): RouteRequest<TargetWorker> {
    const { prompt, salt, preferences, requestId, engine, model, modelName } = this.#job;
    const only = engine === undefined ? preferences : { ...preferences, worker: engine };
    const lacking = modelName === undefined ? [] : model.lacking(modelName);
    const excluded = [...this.#attempts.excluded, ...lacking];
    return { prompt, requestId, salt, preferences: only, excluded };
  }

  get #boundTo() {
    return this.#job.model.admission.boundTo(this.#request);
  }
}
