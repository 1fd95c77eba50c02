import { decodeEmbeddings, encodeEmbedRequest, PlaneError, unaryCall } from "#runtime";
import type { ApiError } from "../../kernel/errors.ts";
import { callError, timeLeft } from "../../models/members/call-error.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { Route, RouteRequest } from "../../routing/route.ts";
import { Life, type LifeContext, type LifeJob } from "../life.ts";
import type { NextStep, Transfer } from "../transfer.ts";
import { reportCallFailure } from "./plane-failure.ts";

/** Texts to embed; the request's prompt is the first of them. */
export interface EmbeddingJob extends LifeJob<WorkerMember> {
  readonly inputs: readonly Uint32Array[];
}

/** Exactly one of these is called, once. */
export interface EmbeddingOutput {
  onVectors(vectors: Float32Array[]): void;
  onError(error: ApiError): void;
  /** No member has answered, but another model may. */
  onFallback(error: ApiError): void;
}

/** Sends texts to a worker, which returns all embeddings in one message. */
export class EmbeddingTransfer implements Transfer<WorkerMember> {
  readonly life: Life<WorkerMember>;
  readonly hasBegun = false;
  readonly #job: EmbeddingJob;
  readonly #output: EmbeddingOutput;
  readonly #context: LifeContext;
  #attempt: AbortController | undefined;

  constructor(job: EmbeddingJob, output: EmbeddingOutput, context: LifeContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.life = new Life(job, this, context);
  }

  routeRequest(excluded: readonly WorkerMember[]): RouteRequest<WorkerMember> {
    const { prompt, preferences, requestId } = this.#job;
    return { prompt, requestId, preferences, excluded };
  }

  send({ worker }: Route<WorkerMember>): void {
    void this.#ask(worker);
  }

  async #ask({ client }: WorkerMember): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    try {
      if (client === undefined) throw new PlaneError("overloaded", "The worker is not connected.");
      const call = { deadlineMs: timeLeft(this.#bounds), signal: attempt.signal };
      const payload = encodeEmbedRequest([...this.#job.inputs]);
      const vectors = decodeEmbeddings(await unaryCall(client, "embed", payload, call));
      if (attempt.signal.aborted) return;
      this.life.onPiece(false);
      this.life.route!.worker.reportSuccess();
      this.life.end("finished");
      this.#output.onVectors(vectors);
    } catch (cause) {
      if (attempt.signal.aborted) return;
      const error = cause instanceof PlaneError ? cause : new PlaneError("internal", String(cause));
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
    return { kind: "give-up", obstacle: "embeddings are not streamed" };
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
    this.#output.onFallback(error);
  }

  get #bounds() {
    const { model, preferences } = this.#job;
    return {
      model: model.name,
      timeoutMs: this.#context.options.totalMs,
      deadlineAt: preferences.deadlineAt,
    };
  }
}
