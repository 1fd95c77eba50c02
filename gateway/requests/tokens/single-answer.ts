import { PlaneError } from "#runtime";
import type { ApiError } from "../../kernel/errors.ts";
import { type CallBounds, callError, timeLeft } from "../../models/members/call-error.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { Route, RouteRequest } from "../../routing/route.ts";
import { Life, type LifeContext, type LifeJob } from "../life.ts";
import type { NextStep, Transfer } from "../transfer.ts";
import { reportCallFailure } from "./plane-failure.ts";

/** A question that a worker answers as a whole. */
export interface SingleQuestion<Answer> extends LifeJob<WorkerMember> {
  /** Whether a worker can be asked; default: all can. */
  suits?(worker: WorkerMember): boolean;
  /** @throws PlaneError, or the signal's reason */
  ask(route: Route<WorkerMember>, call: CallLimits): Promise<Answer>;
  /** The error for the client, if the worker's has one of its own. */
  errorOf?(error: PlaneError): ApiError | undefined;
  /** Called with the answer, before its end is reported. */
  onAnswered(life: Life<WorkerMember>): void;
}

export interface CallLimits {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Exactly one of these is called, once. */
export interface SingleAnswerOutput<Answer> {
  onAnswer(answer: Answer): void;
  onError(error: ApiError): void;
  /** No member has answered, but another model may. */
  onFallback(error: ApiError): void;
}

/** Asks a worker, and another one if it fails. */
export class SingleAnswerTransfer<Answer> implements Transfer<WorkerMember> {
  readonly life: Life<WorkerMember>;
  readonly hasBegun = false;
  readonly #question: SingleQuestion<Answer>;
  readonly #output: SingleAnswerOutput<Answer>;
  readonly #context: LifeContext;
  #attempt: AbortController | undefined;

  constructor(question: SingleQuestion<Answer>, output: SingleAnswerOutput<Answer>, context: LifeContext) {
    this.#question = question;
    this.#output = output;
    this.#context = context;
    this.life = new Life(question, this, context);
  }

  routeRequest(excluded: readonly WorkerMember[]): RouteRequest<WorkerMember> {
    const { prompt, preferences, requestId, model, suits } = this.#question;
    const unable = suits === undefined ? [] : model.members().filter((member) => !suits(member));
    return { prompt, requestId, preferences, excluded: [...excluded, ...unable] };
  }

  send(route: Route<WorkerMember>): void {
    void this.#ask(route);
  }

  async #ask(route: Route<WorkerMember>): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    try {
      const { signal } = attempt;
      const answer = await this.#question.ask(route, { deadlineMs: timeLeft(this.#bounds), signal });
      if (signal.aborted) return;
      this.#question.onAnswered(this.life);
      route.worker.reportSuccess();
      this.life.end("finished");
      this.#output.onAnswer(answer);
    } catch (cause) {
      if (attempt.signal.aborted) return;
      const error = planeError(cause);
      reportCallFailure(this.life, error, this.failureOf(error), undefined);
    }
  }

  abort(): void {
    this.#attempt?.abort();
  }

  reset(): void {}

  unableToContinue(): undefined {
    return undefined;
  }

  nextStep(): NextStep<WorkerMember> {
    return { kind: "give-up", obstacle: "its answer has no parts" };
  }

  failureOf(cause: unknown): ApiError {
    const boundTo = this.#question.model.admission.boundTo(this.routeRequest([]));
    const error = planeError(cause);
    return this.#question.errorOf?.(error) ?? callError(error, this.#bounds, boundTo);
  }

  onCancelled(): void {}

  onFailed(error: ApiError): void {
    this.#output.onError(error);
  }

  onFallback(error: ApiError): void {
    this.#output.onFallback(error);
  }

  get #bounds(): CallBounds {
    const { model, preferences } = this.#question;
    const { totalMs } = this.#context.options;
    return { model: model.name, timeoutMs: totalMs, deadlineAt: preferences.deadlineAt };
  }
}

/** What a question fails with if its worker has no connection. */
export const notConnected = (): PlaneError => new PlaneError("overloaded", "The worker is not connected.");

const planeError = (cause: unknown) =>
  cause instanceof PlaneError ? cause : new PlaneError("internal", String(cause));
