import type { EncodedFields } from "../../engines/encoding/types.ts";
import { type ApiError, engineFailed } from "../../kernel/errors.ts";
import type { EngineMember } from "../../models/members/engine-member.ts";
import type { Route, RouteRequest } from "../../routing/route.ts";
import { type HttpCall, HttpError, type HttpHead, type HttpReceiver } from "../../wire/types.ts";
import type { AttemptFailure } from "../attempts.ts";
import { Life } from "../life.ts";
import { type Placement, placementOf } from "../placement.ts";
import type { NextStep, Transfer } from "../transfer.ts";
import { AnswerBody, type AnswerUsage } from "./answer-body.ts";
import { EncodeStage } from "./encode/encode-stage.ts";
import { engineRequest } from "./engine-request.ts";
import type { WireContext, WireJob, WireOutput } from "./job.ts";
import type { PartialAnswer } from "./partial-answer.ts";
import { isContinuable, planRecovery } from "./plan-recovery.ts";
import { PrefillHandoff } from "./prefill-handoff.ts";
import { countedUsage, countUsage, promptBlocksOf, recordAnswer, usageOf } from "./record-answer.ts";
import { reportAnswer, statusReason } from "./report-answer.ts";
import { isClientError, isRedirect, isRetryable } from "./statuses.ts";
import { timeoutsOf } from "./timeouts.ts";

/** How long to wait for the body of a refusal before another engine is tried, in milliseconds. */
const REFUSAL_MS = 1_000;

/** Forwards a request to an attached engine unchanged, and the engine's answer to the client. */
export class WireTransfer implements Transfer<EngineMember>, HttpReceiver {
  readonly life: Life<EngineMember>;
  readonly #job: WireJob;
  readonly #output: WireOutput;
  readonly #context: WireContext;
  readonly #answer: AnswerBody;
  readonly #handoff: PrefillHandoff;
  readonly #encodeStage: EncodeStage;
  /** Those that have encoded media for the current attempt. */
  #encodeWorkers: readonly string[] = [];
  /** Whether what they have made may be what the engine refuses. */
  #mayRefuseEncoded = false;
  #call: HttpCall | undefined;
  /** The error for a refusal, while its body is still being received. */
  #refusal: ApiError | undefined;
  #refusalEnd: ReturnType<typeof setTimeout> | undefined;
  /** Length of the answer at the last move, in characters. */
  #textBefore = 0;

  constructor(job: WireJob, output: WireOutput, context: WireContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.life = new Life(job, this, context);
    this.#encodeStage = new EncodeStage(job, context);
    this.#handoff = new PrefillHandoff(job, context, {
      ask: (route, body, mayReuse) => this.#ask(route, body, mayReuse),
      onUnanswerable: (reason) => {
        this.#call?.cancel();
        this.life.refuse(this.failureOf(reason));
      },
    });
    this.#answer = new AnswerBody(job, {
      placement: () => this.#placement,
      reply: (head, placement) => this.#openReply(head, placement),
    });
  }

  get hasBegun(): boolean {
    return this.#answer.hasBegun;
  }

  routeRequest(tried: readonly EngineMember[]): RouteRequest<EngineMember> {
    const { prompt, salt, preferences, requestId, engine, model, modelName } = this.#job;
    const only = engine === undefined ? preferences : { ...preferences, worker: engine };
    const { remotePrefill, failed } = this.#handoff;
    const excluded = [...tried, ...failed];
    if (modelName !== undefined) excluded.push(...model.lacking(modelName));
    if (this.#job.isFit !== undefined) excluded.push(...model.unfit(this.#job.isFit));
    return { prompt, requestId, salt, preferences: only, excluded, remotePrefill };
  }

  send(route: Route<EngineMember>, needsFreshConnection: boolean): void {
    const { requestBody } = this.#answer;
    const body = this.#job.bodyFor(route.worker.engine, requestBody);
    this.#encodeWorkers = [];
    this.#mayRefuseEncoded = false;
    const target = route.plan.prefill?.worker ?? route.worker;
    const encoding = body && this.#encodeStage.begin(route, target, body);
    if (encoding === undefined) this.#compute(route, body, body, needsFreshConnection);
    else
      void encoding.then((encoded) => {
        if (encoded === undefined) return;
        this.#encodeWorkers = encoded.encoders;
        this.#mayRefuseEncoded = encoded.mayBeRefused && route.plan.prefill === undefined;
        this.#compute(route, encoded.body, body, needsFreshConnection, encoded.fields);
      });
  }

  /**
   * @param body for the engine that computes the prompt
   * @param whole the same with all media, for a decode engine
   * @param encoded what encode engines have made of its media
   */
  #compute(
    route: Route<EngineMember>,
    body: Uint8Array | undefined,
    whole: Uint8Array | undefined,
    needsFreshConnection: boolean,
    encoded?: EncodedFields,
  ): void {
    const { prefill } = route.plan;
    if (prefill === undefined || body === undefined || whole === undefined)
      this.#ask(route, body, !needsFreshConnection);
    else
      this.#handoff.start(route, prefill, {
        ...{ body, whole, encoded },
        isContinued: this.#answer.requestBody !== undefined,
      });
  }

  #ask(route: Route<EngineMember>, body: Uint8Array | undefined, mayReuse: boolean): void {
    const request = engineRequest(this.#job, route, { body, mayReuse });
    this.#call = this.#context.transport.call(request, this, timeoutsOf(this.#context.options));
  }

  abort(): void {
    this.#encodeStage.end();
    this.#handoff.end();
    clearTimeout(this.#refusalEnd);
    this.#refusal = undefined;
    this.#call?.cancel();
    this.#call = undefined;
  }

  reset(): void {
    this.#call = undefined;
    this.#answer.reset();
  }

  unableToContinue(): readonly EngineMember[] | undefined {
    const partial = this.#answer.readPartial();
    return isContinuable(this.#job, partial) ? this.#unableToContinue(partial!) : undefined;
  }

  async nextStep(moveObstacle: string | undefined): Promise<NextStep<EngineMember>> {
    const partial = this.#answer.readPartial();
    const { tokensPerEvent } = this.#answer;
    const step = await planRecovery(this.#job, { partial, tokensPerEvent, moveObstacle });
    switch (step.kind) {
      case "give-up":
        return step;
      case "complete":
        return {
          kind: "complete",
          complete: () => {
            this.#answer.complete(partial!, step.missing);
            this.#succeed();
          },
        };
      case "move": {
        return {
          kind: "move",
          unable: this.#unableToContinue(partial!),
          prepare: () => {
            this.#answer.continueWith(step.body, partial!, step.tokens);
            this.#textBefore = partial!.text.length;
          },
        };
      }
    }
  }

  /** Engines that cannot continue a partial message of a chat. */
  #unableToContinue({ text }: PartialAnswer): readonly EngineMember[] {
    if (this.#job.events !== "chat" || text === "") return [];
    return this.#job.model.members().filter(({ engine }) => !engine.continuesMessages);
  }

  failureOf(cause: unknown): ApiError {
    const { admission } = this.#job.model;
    const wasSent = !(cause instanceof HttpError && cause.code === "unsent");
    const failure = this.hasBegun
      ? "midway"
      : wasSent && !this.#job.isRepeatable
        ? "unrepeatable"
        : "retried";
    return engineFailed(cause, admission.boundTo(this.routeRequest([])), failure);
  }

  onCancelled(isAnswering: boolean): void {
    // A partial answer shows that the engine works.
    if (isAnswering) this.#report(this.#answer.status);
    this.#answer.release();
    this.#output.onSettled(499, this.#usage);
  }

  onFailed(error: ApiError): void {
    const { hasBegun, hasRefusal } = this.#answer;
    if (!hasBegun && hasRefusal && error.code === "engine_failed") {
      this.#answer.sendRefusal();
      this.#output.onSettled(this.#answer.status);
    } else {
      this.#output.onSettled(error.status, hasBegun ? this.#usage : undefined);
      if (hasBegun) this.#answer.fail(error);
      else this.#output.onFailure(error);
    }
    this.#answer.release();
  }

  onFallback(error: ApiError): void {
    this.#output.onFallback(error);
  }

  onHead(head: HttpHead): void {
    if (isRedirect(head)) {
      this.#break(
        "The engine redirects requests to another address; attach that address instead.",
        undefined,
      );
      return;
    }
    const { isRepeatable, hasFallback } = this.#job;
    const { mayRetry } = this.life;
    const isRefusal =
      (isRetryable(head.status) && (mayRetry || hasFallback) && !this.#isSoleEngineBusy(head)) ||
      // Another engine's parameters may be what it refuses.
      (isClientError(head.status) && mayRetry && this.#hasHandedOver) ||
      // Engines of a model do not all load an adapter at the same moment.
      (head.status === 404 && mayRetry && this.#job.modelName !== undefined && this.life.hasAlternative);
    if (isRefusal && isRepeatable) {
      this.#onRefusal(head);
      return;
    }
    if (head.status >= 300) this.#handoff.end();
    this.#answer.begin(head);
    if (this.#answer.isBroken) this.#break(this.#answer.fault, undefined);
  }

  onBytes(wire: Uint8Array, isFramed: boolean): boolean {
    const answer = this.#answer;
    if (this.#refusal === undefined) this.life.onPiece(answer.isStream);
    const isHeld = answer.take(wire, isFramed);
    if (this.#handoff.isPending && answer.tokens > 0 && !answer.isBroken) this.#handoff.settle("worked");
    this.life.grow(answer.tokens);
    if (answer.isBroken) this.#break(answer.fault, undefined);
    else if (answer.isFull) this.#call?.pause();
    return isHeld;
  }

  onEnd(wire: Uint8Array, isFramed: boolean): boolean {
    const answer = this.#answer;
    if (this.#refusal === undefined) this.life.onPiece(false);
    const isHeld = answer.finish(wire, isFramed);
    if (this.#refusal === undefined && !answer.isBroken) this.#handoff.settle("worked");
    this.life.grow(answer.tokens);
    if (this.#refusal !== undefined) this.#afterRefusal(this.#refusal);
    else if (answer.isBroken) this.#break(answer.fault, undefined);
    else {
      this.#report(answer.status);
      this.#succeed();
    }
    return isHeld;
  }

  onError(error: HttpError): void {
    if (this.#refusal !== undefined) this.#afterRefusal(this.#refusal);
    else this.#break(error.message, error);
  }

  /** Whether the engine has got what others have made for this attempt. */
  get #hasHandedOver(): boolean {
    return this.#handoff.hasHandedOver || this.#mayRefuseEncoded;
  }

  /** Whether the only engine is busy: the client then gets its answer, which may say how long to wait. */
  #isSoleEngineBusy({ status }: HttpHead): boolean {
    return status === 429 && !this.#job.hasFallback && !this.life.hasAlternative;
  }

  /** The engine refuses the request; another one may accept it. Waits briefly for the body of the refusal. */
  #onRefusal(head: HttpHead): void {
    // After a failed transfer, it is not the decode engine that must be to blame.
    const outcome = isRetryable(head.status) ? "failed" : "refused";
    if (!this.#handoff.settle(outcome, statusReason(head.status))) this.#report(head.status);
    this.life.onAnswered();
    const refusal = this.failureOf(statusReason(head.status));
    this.#refusal = refusal;
    this.#answer.beginRefusal(head);
    this.#refusalEnd = setTimeout(() => {
      this.#call?.cancel();
      this.#afterRefusal(refusal);
    }, REFUSAL_MS);
  }

  #afterRefusal(refusal: ApiError): void {
    clearTimeout(this.#refusalEnd);
    this.#refusal = undefined;
    this.life.refuse(refusal);
  }

  #break(reason: string, error: HttpError | undefined): void {
    if (this.life.isOver) return;
    if (this.#answer.hasClientError) {
      this.#endWithError();
      return;
    }
    this.#handoff.settle(error === undefined || error.code === "garbage" ? "failed" : "lost", reason);
    const partial = this.#answer.hasBegun ? this.#answer.readPartial() : undefined;
    this.life.break({ reason, failure: this.#failureOf(error, partial), cause: error });
  }

  /** Ends after an error about the request, which the client has received; how the engine ends does not matter. */
  #endWithError(): void {
    this.#call?.cancel();
    this.#answer.end();
    this.#report(this.#answer.status);
    this.#succeed();
  }

  #failureOf(error: HttpError | undefined, partial: PartialAnswer | undefined): AttemptFailure {
    if (error === undefined || error.code === "garbage") return "answered";
    if (error.code === "unsent") return "unsent";
    return partial !== undefined && partial.text.length > this.#textBefore ? "answered" : "lost";
  }

  /** Reports an answer with this status to the engine's health. */
  #report(status: number): void {
    reportAnswer(this.life.route!.worker, this.#job, status);
  }

  #succeed(): void {
    if (this.life.isOver) return;
    const { status } = this.#answer;
    recordAnswer(this.#job, this.life.route, this.#answer);
    this.life.end(status < 500 ? "finished" : "failed");
    const counted = countedUsage(this.#job, this.#answer);
    if (counted !== undefined) {
      this.#output.onAnswered();
      void counted.then((usage) => this.#settle(usage));
    } else this.#settle(this.#usage);
  }

  #settle(usage: AnswerUsage): void {
    const { status, cachedTokens } = this.#answer;
    if (status < 400) countUsage(this.#job, usage, cachedTokens);
    this.#output.onSettled(status, status < 400 ? usage : undefined);
    this.#answer.release();
  }

  /** As reported by the engine, or estimated. */
  get #usage(): AnswerUsage {
    return usageOf(this.#job, this.#answer);
  }

  get #placement(): Placement {
    const placement = placementOf(this.life.route!, promptBlocksOf(this.#job));
    return { ...placement, encodeWorkers: this.#encodeWorkers };
  }

  #openReply(head: HttpHead, placement: Placement) {
    const reply = this.#output.reply(head, placement);
    reply.onAbort = () => this.life.cancel();
    reply.onWritable = () => this.#call?.resume();
    return reply;
  }
}
