import type { Salt } from "#router-wasm";
import {
  type ClientCall,
  DeltaDecoder,
  encodeGenerateRequest,
  PlaneError,
  type Receiver,
  type Sampling,
} from "#runtime";
import type { ApiError } from "../../kernel/errors.ts";
import { type CallBounds, callError, timeLeft } from "../../models/members/call-error.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { Route, RouteRequest } from "../../routing/route.ts";
import { Life, type LifeContext, type LifeJob } from "../life.ts";
import type { NextStep, Transfer } from "../transfer.ts";
import type { JobMedia } from "./job.ts";
import { reportCallFailure } from "./plane-failure.ts";

/** A prompt whose media are to be counted. Its `prompt` is for the router, and says nothing of what it caches. */
export interface MediaCountJob extends LifeJob<WorkerMember> {
  readonly model: WorkerSide;
  readonly media: JobMedia;
  readonly salt: Salt | undefined;
  /** Any: nothing is generated. */
  readonly sampling: Sampling;
}

/** Exactly one of these is called, once. */
export interface MediaCountOutput {
  /** @param tokens that the prompt's media become, all together */
  onCount(tokens: number): void;
  onError(error: ApiError): void;
}

/**
 * Asks a worker how many tokens the media of a prompt become: it gets the prompt with no token to generate, and is
 * cancelled as soon as it has said so.
 */
export class MediaCountTransfer implements Transfer<WorkerMember> {
  readonly life: Life<WorkerMember>;
  readonly hasBegun = false;
  readonly #job: MediaCountJob;
  readonly #output: MediaCountOutput;
  readonly #context: LifeContext;
  #call: ClientCall | undefined;
  /** Calls made so far. A cancelled call still reports its end, which must not end the next call. */
  #calls = 0;

  constructor(job: MediaCountJob, output: MediaCountOutput, context: LifeContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.life = new Life(job, this, context);
  }

  routeRequest(excluded: readonly WorkerMember[]): RouteRequest<WorkerMember> {
    const { prompt, preferences, requestId, model } = this.#job;
    const unable = model.members().filter((member) => !this.#suits(member));
    return { prompt, requestId, preferences, excluded: [...excluded, ...unable] };
  }

  send({ worker, rank }: Route<WorkerMember>): void {
    const receiver = this.#nextReceiver();
    if (worker.client === undefined) {
      receiver.onError(new PlaneError("overloaded", "The worker is not connected."));
      return;
    }
    const deadlineMs = timeLeft(this.#bounds);
    this.#call = worker.client.call("generate", this.#payload(worker, rank), receiver, { deadlineMs });
  }

  abort(): void {
    this.#calls++;
    const call = this.#call;
    this.#call = undefined;
    call?.cancel();
  }

  reset(): void {}

  unableToContinue(): undefined {
    return undefined;
  }

  nextStep(): NextStep<WorkerMember> {
    return { kind: "give-up", obstacle: "a count has no parts" };
  }

  failureOf(cause: unknown): ApiError {
    const boundTo = this.#job.model.admission.boundTo(this.routeRequest([]));
    const error = cause instanceof PlaneError ? cause : new PlaneError("internal", String(cause));
    return callError(error, this.#bounds, boundTo);
  }

  onCancelled(): void {}

  onFailed(error: ApiError): void {
    this.#output.onError(error);
  }

  onFallback(error: ApiError): void {
    this.#output.onError(error);
  }

  /** Workers of a model can be of several versions. */
  #suits({ instance: { card } }: WorkerMember): boolean {
    const { salt, media } = this.#job;
    if (media.items.some(({ kind }) => !card.media?.includes(kind))) return false;
    return salt?.namespace === undefined || card.features.cacheSalt === true;
  }

  #payload({ instance }: WorkerMember, rank: number): Uint8Array {
    const { requestId, model, media, salt, sampling } = this.#job;
    return encodeGenerateRequest({
      ...{ requestId, model: model.card.name, tokens: media.tokens, maxTokens: 0, sampling },
      ignoreEos: false,
      stopTokenIds: [],
      ...(salt?.namespace !== undefined && { cacheSalt: salt.namespace }),
      media: media.items.map(({ id: _, ...medium }) => medium),
      ...(instance.card.dataParallelSize > 1 && { dataParallelRank: rank }),
    });
  }

  #nextReceiver(): Receiver {
    const number = ++this.#calls;
    const decoder = new DeltaDecoder();
    const isCurrent = () => number === this.#calls;
    return {
      onMessage: (message) => {
        if (!isCurrent()) return;
        this.life.onAnswered();
        decoder.read(message);
        const { mediaTokens, finish, count } = decoder;
        // Said with or before the first token.
        if (mediaTokens !== undefined || finish !== undefined || count > 0) this.#end(mediaTokens ?? 0);
      },
      onEnd: () => {
        if (isCurrent())
          this.life.break({ reason: "The worker ended the call without an answer.", failure: "answered" });
      },
      onError: (error) => {
        if (!isCurrent()) return;
        this.#call = undefined;
        reportCallFailure(this.life, error, this.failureOf(error), undefined);
      },
    };
  }

  #end(mediaTokens: number): void {
    this.abort();
    this.life.route!.worker.reportSuccess();
    this.life.end("finished");
    this.#output.onCount(mediaTokens);
  }

  get #bounds(): CallBounds {
    const { model, preferences } = this.#job;
    const { totalMs } = this.#context.options;
    return { model: model.name, timeoutMs: totalMs, deadlineAt: preferences.deadlineAt };
  }
}
