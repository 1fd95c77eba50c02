import {
  type ClientCall,
  DeltaDecoder,
  type FinishReason,
  type KvSource,
  PlaneError,
  type Receiver,
} from "#runtime";
import { type ApiError, noWorkerReady, toApiError } from "../../kernel/errors.ts";
import { type CallBounds, callError, timeLeft } from "../../models/members/call-error.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { RemotePrefill, Route, RouteRequest } from "../../routing/route.ts";
import { Life, type LifeContext } from "../life.ts";
import type { NextStep, Transfer } from "../transfer.ts";
import { AnswerReader } from "./answer-reader.ts";
import { MediaFeaturesStage } from "./encode/media-features.ts";
import type { TokenJob, TokenOutput, Usage } from "./job.ts";
import { mediaError } from "./media-error.ts";
import { reportCallFailure } from "./plane-failure.ts";
import { PrefillHandoff } from "./prefill-handoff.ts";
import { SilenceTimer } from "./silence-timer.ts";
import { findUnknownToken, reportUnknownToken } from "./unknown-token.ts";
import { WorkerRequest } from "./worker-request.ts";

/** Shared by all answers, because each message is processed before the next one is read. */
const decoder = new DeltaDecoder();

/**
 * Asks a worker to answer a prompt, over the request plane. When the worker is lost, the next one continues from the
 * answer's tokens.
 */
export class TokenTransfer implements Transfer<WorkerMember> {
  readonly life: Life<WorkerMember>;
  readonly #job: TokenJob;
  readonly #output: TokenOutput;
  readonly #context: LifeContext;
  readonly #answer: AnswerReader;
  readonly #request: WorkerRequest;
  readonly #silence: SilenceTimer;
  readonly #handoff: PrefillHandoff;
  /** Set if its prompt has media. */
  readonly #features: MediaFeaturesStage | undefined;
  #call: ClientCall | undefined;
  /** Calls made so far. A cancelled call still reports its end, which must not end the next call. */
  #calls = 0;
  /** Whether the current worker has begun to answer. */
  #isAnswering = false;
  /** Cached tokens of the prompt, and of the current request to a worker; undefined if the engine reports none. */
  #cachedTokens: number | undefined;
  #routeCachedTokens: number | undefined;
  /** Prompt tokens that its media became. */
  #mediaTokens = 0;
  /** Whether the current worker has the prompt's KV blocks from a prefill worker. */
  #hasReceivedKv = false;

  constructor(job: TokenJob, output: TokenOutput, context: LifeContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.life = new Life(job, this, context);
    this.#answer = new AnswerReader(job, output, this.life);
    this.#request = new WorkerRequest(job, this.#answer);
    const { firstByteMs, idleMs } = context.options;
    this.#silence = new SilenceTimer(firstByteMs, idleMs, (ms) => this.#onSilence(ms));
    this.#features = job.media && new MediaFeaturesStage(job, context);
    const { prefills } = job.model.metrics.routing;
    this.#handoff = new PrefillHandoff(job.requestId, prefills, context.warnings, {
      onPrefilled: (delta, kv) => this.#onPrefilled(delta, kv),
      onPrefillFailed: () => this.#ask(this.life.route!),
    });
  }

  /** The usage so far: zero before a worker has begun. */
  get usage(): Usage {
    return {
      promptTokens: this.hasBegun || this.#isAnswering ? this.#promptTokens : 0,
      completionTokens: this.#answer.length,
      cachedTokens: this.#cachedTokens ?? 0,
      ...(this.#answer.reasoningTokens !== undefined && { reasoningTokens: this.#answer.reasoningTokens }),
    };
  }

  /** Those of the prompt, and those that a worker has made of its media. */
  get #promptTokens(): number {
    const { prompt, media } = this.#job;
    return media === undefined ? prompt.tokens.length : media.tokens.length + this.#mediaTokens;
  }

  get hasBegun(): boolean {
    return this.#answer.hasBegun;
  }

  routeRequest(excluded: readonly WorkerMember[]): RouteRequest<WorkerMember> {
    const { preferences, requestId, salt, model } = this.#job;
    const lacking = salt?.loraName === undefined ? [] : model.withoutAdapter(salt.loraName);
    return {
      ...{ requestId, preferences, salt },
      excluded: lacking.length === 0 ? excluded : [...excluded, ...lacking],
      prompt: this.#request.nextPrompt,
      remotePrefill: this.#remotePrefill,
      isPrefillOnly: this.#job.maxTokens - this.#answer.length === 1,
    };
  }

  /** Whether a prefill worker may compute the prompt: its first token is then continued by another worker. */
  get #remotePrefill(): RemotePrefill | undefined {
    const { echoLogprobs, model, media } = this.#job;
    if (media !== undefined) return undefined;
    if (echoLogprobs || model.card.features.continues === false) return undefined;
    return this.#handoff.remotePrefill;
  }

  send(route: Route<WorkerMember>): void {
    const { prefill } = route.plan;
    if (prefill === undefined) this.#encodeAndAsk(route);
    else if (!this.#request.suits(prefill.worker)) {
      route.prefillHere();
      this.#ask(route);
    } else {
      this.#silence.start();
      this.#handoff.start(route, prefill, this.#request.encode(prefill), timeLeft(this.#bounds));
    }
  }

  #encodeAndAsk(route: Route<WorkerMember>): void {
    this.#answer.encodeWorkers = [];
    const encoding = this.#features?.begin(route.worker);
    if (encoding === undefined) this.#ask(route);
    else
      void encoding.then((features) => {
        if (features === undefined) return;
        this.#answer.encodeWorkers = features.encoders;
        this.#ask(route, { features: features.sources });
      });
  }

  /** @param sources what other workers hold for it */
  #ask(route: Route<WorkerMember>, sources: Parameters<WorkerRequest["encode"]>[1] = {}): void {
    const { client } = route.worker;
    if (client === undefined || !this.#request.suits(route.worker)) {
      this.life.refuse(noWorkerReady(this.#job.model.name, this.#boundTo), "unsent");
      return;
    }
    this.#call = client.call("generate", this.#request.encode(route, sources), this.#nextReceiver(), {
      deadlineMs: timeLeft(this.#bounds),
    });
    this.#silence.start();
  }

  /** The prefill worker has answered with the first token. The decode worker continues, as after a move. */
  #onPrefilled(delta: Uint8Array, kv: KvSource | undefined): void {
    try {
      decoder.read(delta);
      this.#handoff.onComputed(decoder.cachedTokens);
      this.#onDelta();
    } catch (error) {
      this.life.fail(toApiError(error));
      return;
    }
    if (this.life.isOver) return;
    this.#routeCachedTokens = undefined;
    this.#isAnswering = false;
    this.#request.continueFromHere();
    this.#ask(this.life.route!, { kvSource: kv });
  }

  /** Applies backpressure to the worker while the client reads too slowly. */
  pause(): void {
    this.#silence.pause();
    this.#call?.pause();
  }

  resume(): void {
    this.#silence.resume();
    this.#call?.resume();
  }

  /** Cancels the call, so that the engine stops within one token. */
  abort(): void {
    this.#silence.stop();
    this.#features?.end();
    this.#handoff.end();
    const call = this.#call;
    this.#call = undefined;
    call?.cancel();
  }

  reset(): void {
    this.#handoff.onDecodeLost();
    this.#isAnswering = false;
    this.#hasReceivedKv = false;
    this.#routeCachedTokens = undefined;
  }

  unableToContinue(): readonly WorkerMember[] | undefined {
    return this.#request.isContinuable && !this.#answer.isFull ? [] : undefined;
  }

  nextStep(moveObstacle: string | undefined): NextStep<WorkerMember> {
    if (this.#answer.isFull) return { kind: "complete", complete: () => this.#finish("length") };
    if (moveObstacle !== undefined) return { kind: "give-up", obstacle: moveObstacle };
    if (!this.#request.isContinuable)
      return { kind: "give-up", obstacle: "its engine cannot continue a partial answer" };
    return {
      kind: "move",
      unable: [],
      prepare: () => this.#request.continueFromHere(),
    };
  }

  failureOf(cause: unknown): ApiError {
    const error = cause instanceof PlaneError ? cause : new PlaneError("internal", String(cause));
    const { media } = this.#job;
    const refusal = media && mediaError(error, media);
    return refusal ?? callError(error, this.#bounds, this.#boundTo, this.hasBegun);
  }

  onCancelled(isAnswering: boolean): void {
    if (isAnswering) this.life.route!.worker.reportSuccess();
  }

  onFailed(error: ApiError): void {
    this.#output.onError(error);
  }

  onFallback(error: ApiError): void {
    this.#output.onFallback(error);
  }

  #nextReceiver(): Receiver {
    const number = ++this.#calls;
    const isCurrent = () => number === this.#calls && this.#call !== undefined;
    return {
      onMessage: (message) => {
        if (isCurrent()) this.#onMessage(message);
      },
      onEnd: () => {
        if (isCurrent()) this.#onEnd();
      },
      onError: (error) => {
        if (isCurrent()) this.#onError(error);
      },
    };
  }

  #onMessage(message: Uint8Array): void {
    decoder.read(message);
    if (this.#handoff.isTransferring && (decoder.transfer !== undefined || decoder.count > 0))
      this.#hasReceivedKv = this.#handoff.onTransfer(decoder.transfer);
    this.#onDelta();
  }

  /** Handles the message in the decoder. */
  #onDelta(): void {
    this.#silence.onPiece();
    if (!this.#isAnswering) this.#onAnswering();
    if (decoder.mediaTokens !== undefined) this.#mediaTokens = decoder.mediaTokens;
    if (decoder.cachedTokens !== undefined) this.#noteCached(decoder.cachedTokens);
    const unknown = findUnknownToken(decoder, this.#job.model.card.vocabularySize);
    if (unknown !== undefined) {
      reportUnknownToken(this.life, unknown, this.#job, this.#context.warnings);
      return;
    }
    const cut = this.#answer.read(decoder);
    if (cut !== undefined) this.#cut(cut);
    else if (decoder.finish !== undefined && !this.life.isOver)
      this.#finish(this.#answer.end(decoder.finish, decoder.stopToken));
  }

  #onEnd(): void {
    this.life.break({ reason: "The worker ended the call without a finish reason.", failure: "answered" });
  }

  #onError(error: PlaneError): void {
    this.#silence.stop();
    this.#call = undefined;
    this.#handoff.onDecodeLost();
    reportCallFailure(
      this.life,
      error,
      this.failureOf(error),
      this.#isAnswering ? this.#failureKind : undefined,
    );
  }

  /** A worker that has added to the answer does not count as lost. */
  get #failureKind() {
    return this.#request.hasProgress ? "answered" : "lost";
  }

  #onSilence(ms: number): void {
    if (this.#handoff.onSilence(ms)) return;
    const error = new PlaneError("connection_lost", `The worker has sent nothing for ${ms / 1000} s.`);
    this.life.break({ reason: error.message, failure: this.#failureKind, cause: error });
  }

  #onAnswering(): void {
    this.#isAnswering = true;
    this.life.onAnswered();
  }

  #noteCached(tokens: number): void {
    // What came from a prefill worker says nothing about the cache here.
    if (!this.#hasReceivedKv) this.#routeCachedTokens = tokens;
    // After a move, they may include the answer's own blocks.
    if (!this.#request.isContinuation) this.#cachedTokens = tokens;
  }

  /** Ends the answer and cancels the engine's work on it. */
  #cut(reason: FinishReason): void {
    const call = this.#call;
    this.#finish(reason);
    call?.cancel();
  }

  #finish(finishReason: FinishReason): void {
    this.#silence.stop();
    this.#handoff.end();
    this.#call = undefined;
    this.#answer.flush();
    const { route } = this.life;
    if (this.#routeCachedTokens !== undefined) route?.report(this.#routeCachedTokens);
    if (this.#isAnswering) route?.worker.reportSuccess();
    this.life.end("finished");
    this.#answer.close(finishReason, this.usage);
  }

  get #boundTo() {
    return this.#job.model.admission.boundTo(this.routeRequest([]));
  }

  get #bounds(): CallBounds {
    const { model, preferences } = this.#job;
    const { totalMs } = this.#context.options;
    return { model: model.name, timeoutMs: totalMs, deadlineAt: preferences.deadlineAt };
  }
}
