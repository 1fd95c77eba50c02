import {
  type ClientCall,
  DeltaDecoder,
  encodeGenerateRequest,
  type FinishReason,
  type KvSource,
  PlaneError,
  type Receiver,
} from "#runtime";
import { type ApiError, noWorkerReady, toApiError, unknownToken } from "../../kernel/errors.ts";
import { type CallBounds, callError, timeLeft } from "../../models/members/call-error.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { Assignment } from "../../routing/plan.ts";
import type { Prompt } from "../../routing/prompt.ts";
import type { RemotePrefill, Route, RouteRequest } from "../../routing/route.ts";
import { Life, type LifeContext } from "../life.ts";
import { placementOf } from "../placement.ts";
import type { NextStep, Transfer } from "../transfer.ts";
import { AnswerTokens } from "./answer-tokens.ts";
import { Detokenizer } from "./detokenizer.ts";
import type { TokenInfo, TokenJob, TokenOutput, Usage } from "./job.ts";
import { reportCallFailure } from "./plane-failure.ts";
import { PrefillHandoff } from "./prefill-handoff.ts";
import { SilenceTimer } from "./silence-timer.ts";
import { StopStrings } from "./stop-strings.ts";
import { findUnknownToken } from "./unknown-token.ts";

/** Shared by all answers, because each message is processed before the next one is read. */
const decoder = new DeltaDecoder();

/**
 * Sends a prompt's tokens to a worker and turns the answer's tokens into text. When a worker is lost, the next one
 * continues from the tokens, since incomplete characters and stop strings are kept here. Its callbacks run once per
 * message from the worker, and allocate only the text for each token.
 */
export class TokenTransfer implements Transfer<WorkerMember> {
  readonly life: Life<WorkerMember>;
  readonly #job: TokenJob;
  readonly #output: TokenOutput;
  readonly #context: LifeContext;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings | undefined;
  readonly #silence: SilenceTimer;
  readonly #handoff: PrefillHandoff;
  #call: ClientCall | undefined;
  /** Calls made so far. A cancelled call still reports its end, which must not end the next call. */
  #calls = 0;
  /** Whether the output has been notified that the answer has begun. */
  #hasStarted = false;
  /** Whether the current worker has begun to answer. */
  #isAnswering = false;
  /** Cached tokens of the prompt, and of the current request to a worker; undefined if the engine reports none. */
  #cachedTokens: number | undefined;
  #routeCachedTokens: number | undefined;
  readonly #answer = new AnswerTokens();
  /** Whether the current worker has the prompt's KV blocks from a prefill worker. */
  #hasReceivedKv = false;
  /** Length of the answer at the last move, in tokens. */
  #tokensBefore = 0;
  /** The prompt for the worker: after a move, with the answer so far. */
  #prompt: Prompt;

  constructor(job: TokenJob, output: TokenOutput, context: LifeContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.#prompt = job.prompt;
    this.life = new Life(job, this, context);
    this.#detokenizer = new Detokenizer(job.model.tokenizer.vocabulary);
    this.#stops = job.stops.length > 0 ? new StopStrings(job.stops) : undefined;
    const { firstByteMs, idleMs } = context.options;
    this.#silence = new SilenceTimer(firstByteMs, idleMs, (ms) => this.#onSilence(ms));
    const { prefills } = job.model.metrics.routing;
    this.#handoff = new PrefillHandoff(job.requestId, prefills, context.warnings, {
      onPrefilled: (delta, kv) => this.#onPrefilled(delta, kv),
      onPrefillFailed: () => this.#ask(this.life.route!),
    });
  }

  /** The usage so far: zero before a worker has begun. */
  get usage(): Usage {
    return {
      promptTokens: this.#hasStarted || this.#isAnswering ? this.#job.prompt.tokens.length : 0,
      completionTokens: this.#answer.length,
      cachedTokens: this.#cachedTokens ?? 0,
    };
  }

  get hasBegun(): boolean {
    return this.#hasStarted;
  }

  routeRequest(excluded: readonly WorkerMember[]): RouteRequest<WorkerMember> {
    const { preferences, requestId } = this.#job;
    const remotePrefill = this.#remotePrefill;
    return { prompt: this.#promptSoFar, requestId, preferences, excluded, remotePrefill };
  }

  /** Whether a prefill worker may compute the prompt: its first token is then continued by another worker. */
  get #remotePrefill(): RemotePrefill | undefined {
    const { echoLogprobs, model } = this.#job;
    if (echoLogprobs || model.card.features.continues === false) return undefined;
    return this.#handoff.remotePrefill;
  }

  send(route: Route<WorkerMember>): void {
    const { prefill } = route.plan;
    if (prefill === undefined) this.#ask(route);
    else {
      this.#silence.start();
      this.#handoff.start(route, prefill, this.#encodeFor(prefill), timeLeft(this.#bounds));
    }
  }

  /** @param kv the KV blocks of the prompt, if another worker has computed it */
  #ask(route: Route<WorkerMember>, kv?: KvSource): void {
    const { client } = route.worker;
    if (client === undefined) {
      this.life.refuse(noWorkerReady(this.#job.model.name, this.#boundTo), "unsent");
      return;
    }
    this.#call = client.call("generate", this.#encodeFor(route, kv), this.#nextReceiver(), {
      deadlineMs: timeLeft(this.#bounds),
    });
    this.#silence.start();
  }

  #encodeFor({ worker, rank }: Assignment<WorkerMember>, kvSource?: KvSource): Uint8Array {
    const { model, requestId, sampling, maxTokens, ignoreEos, logprobs, echoLogprobs } = this.#job;
    return encodeGenerateRequest({
      requestId,
      model: model.card.name,
      tokens: this.#prompt.tokens,
      maxTokens: maxTokens - this.#answer.length,
      sampling,
      ignoreEos,
      stopTokenIds: [],
      kvSource,
      ...(logprobs !== undefined && { logprobs }),
      ...(echoLogprobs && !this.#hasStarted && { echoLogprobs }),
      ...(worker.instance.card.dataParallelSize > 1 && { dataParallelRank: rank }),
    });
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
    this.#continueFromHere();
    this.#ask(this.life.route!, kv);
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
    this.#handoff.end();
    const call = this.#call;
    this.#call = undefined;
    call?.cancel();
  }

  reset(): void {
    this.#isAnswering = false;
    this.#hasReceivedKv = false;
    this.#routeCachedTokens = undefined;
  }

  unableToContinue(): readonly WorkerMember[] | undefined {
    return this.#isContinuable && this.#answer.length < this.#job.maxTokens ? [] : undefined;
  }

  nextStep(moveObstacle: string | undefined): NextStep<WorkerMember> {
    if (this.#answer.length >= this.#job.maxTokens)
      return { kind: "complete", complete: () => this.#finish("length") };
    if (moveObstacle !== undefined) return { kind: "give-up", obstacle: moveObstacle };
    if (!this.#isContinuable)
      return { kind: "give-up", obstacle: "its engine cannot continue a partial answer" };
    return {
      kind: "move",
      unable: [],
      prepare: () => this.#continueFromHere(),
    };
  }

  /** The next worker gets the answer so far as part of its prompt. */
  #continueFromHere(): void {
    this.#prompt = this.#promptSoFar;
    this.#tokensBefore = this.#answer.length;
  }

  get #isContinuable(): boolean {
    return this.#answer.length === 0 || this.#job.model.card.features.continues !== false;
  }

  /** The prompt, and the whole answer so far. */
  get #promptSoFar(): Prompt {
    if (this.#answer.length === this.#tokensBefore) return this.#prompt;
    const { prompt } = this.#job;
    return { ...prompt, tokens: this.#answer.after(prompt.tokens) };
  }

  failureOf(cause: unknown): ApiError {
    const error = cause instanceof PlaneError ? cause : new PlaneError("internal", String(cause));
    return callError(error, this.#bounds, this.#boundTo, this.hasBegun);
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
    if (decoder.cachedTokens !== undefined) this.#noteCached(decoder.cachedTokens);
    const unknown = findUnknownToken(decoder, this.#job.model.card.vocabularySize);
    if (unknown === undefined && (decoder.count > 0 || decoder.finish !== undefined)) this.#start();
    if (unknown !== undefined) this.#failOnToken(unknown);
    else if (decoder.echo) this.#output.onEcho(readTokens(decoder.count));
    else if (decoder.count > 0) this.#onTokens();
    if (this.life.isOver || decoder.finish === undefined) return;
    if (decoder.stopToken === undefined) this.#finish(decoder.finish);
    else if (this.#answer.length < this.#job.maxTokens) {
      this.#answer.push(decoder.stopToken);
      this.#finish(decoder.finish);
    } else this.#finish("length");
  }

  #onEnd(): void {
    this.life.break({ reason: "The worker ended the call without a finish reason.", failure: "answered" });
  }

  #onError(error: PlaneError): void {
    this.#silence.stop();
    this.#call = undefined;
    this.#handoff.fail();
    reportCallFailure(
      this.life,
      error,
      this.failureOf(error),
      this.#isAnswering ? this.#failureKind : undefined,
    );
  }

  /** A worker that has added to the answer does not count as lost. */
  get #failureKind() {
    return this.#answer.length > this.#tokensBefore ? "answered" : "lost";
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

  /** Called with the first token: until then, another worker or another model may answer. */
  #start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    const { prompt, model } = this.#job;
    this.#output.onStart(placementOf(this.life.route!, Math.floor(prompt.tokens.length / model.blockSize)));
  }

  #noteCached(tokens: number): void {
    // What came from a prefill worker says nothing about the cache here.
    if (!this.#hasReceivedKv) this.#routeCachedTokens = tokens;
    // After a move, they may include the answer's own blocks.
    if (this.#tokensBefore === 0) this.#cachedTokens = tokens;
  }

  #onTokens(): void {
    this.life.onPiece(true);
    const room = this.#job.maxTokens - this.#answer.length;
    const count = Math.min(decoder.count, room);
    let text = "";
    for (let index = 0; index < count; index++) {
      const token = decoder.tokens[index]!;
      this.#answer.push(token);
      text += this.#detokenizer.push(token);
    }
    this.life.grow(this.#answer.length);
    const tokens = this.#job.logprobs === undefined ? undefined : readTokens(count);
    if (this.#stops !== undefined) text = this.#stops.push(text);
    if (text !== "" || tokens !== undefined) this.#output.onText(text, tokens);
    if (this.#stops?.stopped) this.#cut("stop");
    // Some engines ignore the limit, so the answer is cut here.
    else if (decoder.count > room || (count === room && decoder.finish === undefined)) this.#cut("length");
  }

  /** Ends the answer and cancels the engine's work on it. */
  #cut(reason: FinishReason): void {
    const call = this.#call;
    this.#finish(reason);
    call?.cancel();
  }

  #failOnToken(token: number): void {
    const { instance } = this.life.route!.worker;
    const { card } = this.#job.model;
    this.#context.warnings.warn(
      `${instance.name} unknown token`,
      "a worker sent a token id outside its model's vocabulary",
      {
        request: this.#job.requestId,
        worker: instance.name,
        token,
        model: card.name,
        vocabularySize: card.vocabularySize,
      },
    );
    this.life.fail(unknownToken(instance.name, token, card));
  }

  #finish(finishReason: FinishReason): void {
    this.#silence.stop();
    this.#handoff.end();
    this.#call = undefined;
    // An incomplete character that the detokenizer still holds is dropped.
    const rest = this.#stops?.flush() ?? "";
    if (rest !== "") this.#output.onText(rest, this.#job.logprobs === undefined ? undefined : []);
    const { route } = this.life;
    if (this.#routeCachedTokens !== undefined) route?.report(this.#routeCachedTokens);
    if (this.#isAnswering) route?.worker.reportSuccess();
    this.life.end("finished");
    const { metrics } = this.#job.model;
    const { usage } = this;
    metrics.inputTokens.observe(usage.promptTokens);
    metrics.outputTokens.observe(usage.completionTokens);
    metrics.outputTokensTotal.inc(usage.completionTokens);
    metrics.cachedTokensTotal.inc(usage.cachedTokens);
    this.#output.onEnd({ finishReason: this.#stops?.stopped ? "stop" : finishReason, usage });
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

/** The first tokens of the current message. */
function readTokens(count: number): TokenInfo[] {
  return Array.from({ length: count }, (_, index) => ({
    id: decoder.tokens[index]!,
    logprob: decoder.hasLogprobs ? decoder.logprobs[index]! : Number.NaN,
    top: Array.from(
      { length: decoder.topCount(index) },
      (_, rank) => [decoder.topId(index, rank), decoder.topLogprob(index, rank)] as const,
    ),
  }));
}
