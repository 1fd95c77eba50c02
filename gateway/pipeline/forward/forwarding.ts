import type { TargetWorker } from "../../dispatch/engines/engine-target.ts";
import type {
  HttpCall,
  HttpError,
  HttpHead,
  HttpReceiver,
  HttpTransport,
} from "../../dispatch/http/types.ts";
import { type ApiError, deadlineExceeded, engineFailed, requestTimedOut, toApiError } from "../../errors.ts";
import type { Applicant, QueueTicket } from "../../routing/queue/route-source.ts";
import type { Route, RouteOutcome, RouteRequest } from "../../routing/route.ts";
import type { Warnings } from "../../warnings.ts";
import type { Placement } from "../job.ts";
import { AnswerBody } from "./answer-body.ts";
import { Attempts, isRedirect, isRetried } from "./attempts.ts";
import { continuedBody } from "./continuation.ts";
import type { ForwardJob, ForwardOptions, ForwardOutput } from "./job.ts";
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
  #isOver = false;
  #lastError: Error | undefined;
  #limit: ReturnType<typeof setTimeout> | undefined;
  #backOff: ReturnType<typeof setTimeout> | undefined;
  #sentAt = 0;
  #hasFirstByte = false;
  #pieces = 0;
  /** Output pieces after which the answer takes up another block. */
  #nextBlockAt: number;

  constructor(job: ForwardJob, output: ForwardOutput, context: ForwardContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.#attempts = new Attempts(context.options.retries);
    this.#nextBlockAt = job.model.blockSize - (job.prompt.length % job.model.blockSize);
    this.#answer = new AnswerBody(job, context.transport, {
      reply: (head) => this.#openReply(head),
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
    if (this.#route !== undefined && this.#hasFirstByte)
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
    this.#sentAt = performance.now();
    const { method, path, headers, body, isRepeatable } = this.#job;
    const { engine, instance } = route.worker;
    const { connectMs, firstByteMs, idleMs } = this.#context.options;
    const isRanked = instance.card.dataParallelSize > 1;
    const key = engine.spec.apiKey;
    const request = {
      origin: engine.origin,
      method,
      path: engine.basePath + path,
      headers: [
        ...(key === undefined ? headers : headers.filter(([name]) => name !== "authorization")),
        ...(isRanked ? [["x-data-parallel-rank", String(route.rank)] as const] : []),
        ...(key === undefined ? [] : [["authorization", `Bearer ${key}`] as const]),
      ],
      body: this.#answer.requestBody ?? body,
      mayReuse: isRepeatable,
    };
    this.#call = this.#context.transport.call(request, this, { connectMs, firstByteMs, idleMs });
  }

  onRefused(error: Error): void {
    this.#ticket = undefined;
    if (this.#attempts.forgive()) this.#tryAgain(false);
    // That those which failed do not do is no news.
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
    const { engine } = this.#route!.worker;
    const { isRepeatable, hasFallback } = this.#job;
    const { mayGoOn } = this.#attempts;
    if (isRetried(head.status) && isRepeatable && (mayGoOn || hasFallback)) {
      this.#call?.cancel();
      reportAnswer(engine, this.#job, head.status);
      const failure = engineFailed(statusReason(head.status), this.#boundTo);
      if (mayGoOn) this.#moveOn(failure);
      else this.#fail(failure);
      return;
    }
    this.#answer.begin(head);
    if (this.#answer.isBroken) this.#onBroken(this.#answer.fault, undefined);
  }

  onBytes(wire: Uint8Array, pieces: number): boolean {
    if (!this.#hasFirstByte) this.#onFirstByte();
    this.#count(pieces);
    const answer = this.#answer;
    const isHeld = answer.take(wire);
    if (answer.isBroken) this.#onBroken(answer.fault, undefined);
    else if (answer.isFull) this.#call?.pause();
    return isHeld;
  }

  onEnd(wire: Uint8Array, pieces: number): boolean {
    if (!this.#hasFirstByte) this.#onFirstByte();
    this.#count(pieces);
    const answer = this.#answer;
    const isHeld = answer.finish(wire);
    if (answer.isBroken) this.#onBroken(answer.fault, undefined);
    else {
      reportAnswer(this.#route!.worker.engine, this.#job, answer.status);
      this.#succeed();
    }
    return isHeld;
  }

  onError(error: HttpError): void {
    this.#onBroken(error.message, error);
  }

  #apply(): void {
    this.#ticket = this.#job.model.admission.apply(this.#request, this);
  }

  #onFirstByte(): void {
    this.#hasFirstByte = true;
    const { metrics } = this.#job.model;
    const route = this.#route!;
    route.firstToken();
    metrics.timeToFirstToken.observe((performance.now() - this.#sentAt) / 1000);
    metrics.overlapBlocks.observe(route.overlapBlocks);
  }

  #count(pieces: number): void {
    this.#pieces += pieces;
    while (this.#pieces >= this.#nextBlockAt) {
      this.#route!.grow(1);
      this.#nextBlockAt += this.#job.model.blockSize;
    }
  }

  /** The engine has failed the request, before or in the middle of its answer. */
  #onBroken(reason: string, error: HttpError | undefined): void {
    if (this.#isOver) return;
    const { engine } = this.#route!.worker;
    const isUnsent = error?.code === "unsent";
    this.#call?.cancel();
    engine.reportFailure(reason, isUnsent);
    this.#context.warnings.warn(`${engine.name} failed`, "an engine failed a request", {
      request: this.#job.requestId,
      engine: engine.name,
      reason,
    });
    const failure = engineFailed(error ?? reason, this.#boundTo);
    if (this.#answer.hasBegun) this.#migrate(failure);
    else if ((isUnsent || this.#job.isRepeatable) && this.#attempts.mayGoOn) this.#moveOn(failure);
    else this.#fail(failure);
  }

  /** Continues the client's stream on another engine, from where it stops. */
  #migrate(failure: Error): void {
    const { continuation } = this.#job;
    const partial = continuation && this.#answer.readPartial();
    if (continuation === undefined || partial === undefined || partial.obstacle !== undefined) {
      this.#giveUp(partial?.obstacle ?? "it is not of a kind that can be continued, or too long", failure);
      return;
    }
    if (partial.finishReason !== undefined || partial.isDone) {
      this.#answer.complete();
      this.#succeed();
      return;
    }
    if (++this.#moves > this.#context.options.migrationLimit) {
      this.#giveUp("it has moved as often as --migration-limit allows", failure);
      return;
    }
    const tokens = partial.textEvents;
    const body = continuedBody(continuation.api, continuation.body, partial, tokens);
    if (body === undefined) {
      this.#answer.complete("length");
      this.#succeed();
      return;
    }
    const needsPartial = continuation.api === "chat" && partial.text !== "";
    const members = needsPartial ? this.#job.model.members() : [];
    this.#attempts.move(members.filter(({ engine }) => !engine.continuesMessages));
    this.#answer.continueWith(body, tokens);
    this.#moveOn(failure);
  }

  #giveUp(obstacle: string, failure: Error): void {
    this.#context.warnings.warn(`not continued ${obstacle}`, "a broken answer was not continued elsewhere", {
      request: this.#job.requestId,
      reason: obstacle,
    });
    this.#fail(failure);
  }

  #moveOn(error: Error): void {
    this.#lastError = error;
    const route = this.#route!;
    this.#attempts.failOn(route.worker);
    route.free("moved");
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
    const { cachedTokens, usage, status } = this.#answer;
    if (cachedTokens !== undefined) this.#route?.report(cachedTokens);
    if (status === 200) this.#observe(usage !== undefined, cachedTokens);
    const { model, onResource } = this.#job;
    const { metrics } = model;
    const id = onResource && status < 300 ? this.#answer.resourceId : undefined;
    if (id !== undefined) onResource?.(id, this.#route!.worker.engine.name);
    const taken = status < 400 ? (usage ?? this.#estimate) : undefined;
    if (taken !== undefined) {
      metrics.inputTokens.observe(taken.promptTokens);
      metrics.outputTokens.observe(taken.completionTokens);
      metrics.outputTokensTotal.inc(taken.completionTokens);
      metrics.cachedTokensTotal.inc(cachedTokens ?? 0);
    }
    this.#close(status < 500 ? "finished" : "failed");
    this.#output.onSettled(status, taken);
    this.#answer.release();
  }

  #observe(hasUsage: boolean, cachedTokens: number | undefined): void {
    const route = this.#route;
    if (route === undefined) return;
    const { overlapBlocks, worker } = route;
    worker.engine.observe({ promptBlocks: this.#promptBlocks, overlapBlocks, hasUsage, cachedTokens });
  }

  get #promptBlocks(): number {
    return Math.floor(this.#job.prompt.length / this.#job.model.blockSize);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#call?.cancel();
    this.#ticket?.leave();
    const hasBegun = this.#answer.hasBegun;
    this.#close("failed");
    const apiError = toApiError(error);
    if (!hasBegun && this.#job.hasFallback && this.#mayFallBack(apiError)) {
      this.#output.onPassedOn(apiError);
      return;
    }
    this.#output.onSettled(apiError.status, hasBegun ? this.#taken : undefined);
    if (hasBegun) this.#answer.breakOff(apiError);
    else this.#output.onFailure(error);
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
    clearTimeout(this.#limit);
    clearTimeout(this.#backOff);
    this.#route?.free(outcome);
  }

  /** Tokens by the engine's own account, or about that. */
  get #taken() {
    return this.#answer.usage ?? this.#estimate;
  }

  /** What was sent, and about how much came. */
  get #estimate() {
    return { promptTokens: this.#job.prompt.length, completionTokens: this.#pieces };
  }

  #openReply(head: HttpHead) {
    const route = this.#route!;
    const placement: Placement = {
      worker: route.worker.instance.name,
      workerId: route.worker.instance.id,
      dataParallelRank: route.rank,
      overlapBlocks: route.overlapBlocks,
      promptBlocks: this.#promptBlocks,
    };
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
