import { type ClientCall, DeltaDecoder, encodeGenerateRequest, PlaneError, type Receiver } from "#runtime";
import { type ApiError, foreignToken, noWorkerReady } from "../../kernel/errors.ts";
import { type CallBounds, callError, timeLeft } from "../../models/members/call-error.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { Prompt } from "../../routing/prompt.ts";
import type { Route, RouteRequest } from "../../routing/route.ts";
import { Life, type LifeContext } from "../life.ts";
import { placementOf } from "../placement.ts";
import type { NextStep, Transfer } from "../transfer.ts";
import { AnswerTokens } from "./answer-tokens.ts";
import { Detokenizer } from "./detokenizer.ts";
import { findForeignToken } from "./foreign-token.ts";
import type { FinishReason, TokenInfo, TokenJob, TokenOutput, Usage } from "./job.ts";
import { tellFailure } from "./plane-failure.ts";
import { SilenceTimer } from "./silence-timer.ts";
import { StopStrings } from "./stop-strings.ts";

/** One decoder serves all answers: a message is read and used up before the next one. */
const decoder = new DeltaDecoder();

/**
 * A prompt's tokens on their way to a worker, and the answer's on their way back, as text. When a worker is lost, the
 * next one continues from the tokens: half characters and stop strings are still here. Its callbacks run once for each
 * message of the worker and allocate nothing for a token but its text.
 */
export class TokenTransfer implements Transfer<WorkerMember> {
  readonly life: Life<WorkerMember>;
  readonly #job: TokenJob;
  readonly #output: TokenOutput;
  readonly #context: LifeContext;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings | undefined;
  readonly #silence: SilenceTimer;
  #call: ClientCall | undefined;
  /** Calls made so far: one that was cancelled still ends, and must not end the next one. */
  #calls = 0;
  /** Whether there is something of an answer, and the output knows. */
  #hasStarted = false;
  /** Whether the worker that is asked now has begun. */
  #isAnswering = false;
  /** Undefined for an engine that does not tell: of the whole prompt, and of what the worker now was asked. */
  #cachedTokens: number | undefined;
  #routeCachedTokens: number | undefined;
  readonly #answer = new AnswerTokens();
  /** Tokens of the answer when it moved last. */
  #tokensBefore = 0;
  /** What is asked: the prompt, and after a move the answer so far. */
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
  }

  /** What it has taken until now: nothing before a worker has begun. */
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
    return { prompt: this.#promptSoFar, requestId, preferences, excluded };
  }

  send({ worker, rank }: Route<WorkerMember>): void {
    const { client, instance } = worker;
    const { model, requestId } = this.#job;
    if (client === undefined) {
      this.life.refuse(noWorkerReady(model.name, this.#boundTo));
      return;
    }
    const { sampling, maxTokens, ignoreEos, logprobs, echoLogprobs } = this.#job;
    const payload = encodeGenerateRequest({
      requestId,
      model: model.card.name,
      tokens: this.#prompt.tokens,
      maxTokens: maxTokens - this.#answer.length,
      sampling,
      ignoreEos,
      stopTokenIds: [],
      ...(logprobs !== undefined && { logprobs }),
      ...(echoLogprobs && !this.#hasStarted && { echoLogprobs }),
      ...(instance.card.dataParallelSize > 1 && { dataParallelRank: rank }),
    });
    this.#call = client.call("generate", payload, this.#nextReceiver(), {
      deadlineMs: timeLeft(this.#bounds),
    });
    this.#silence.start();
  }

  /** Holds the worker back while the client reads more slowly than the engine writes. */
  pause(): void {
    this.#silence.pause();
    this.#call?.pause();
  }

  resume(): void {
    this.#silence.resume();
    this.#call?.resume();
  }

  /** The engine stops within one token. */
  abort(): void {
    this.#silence.stop();
    const call = this.#call;
    this.#call = undefined;
    call?.cancel();
  }

  reset(): void {
    this.#isAnswering = false;
    this.#routeCachedTokens = undefined;
  }

  unableToContinue(): readonly WorkerMember[] | undefined {
    return this.#isContinuable && this.#answer.length < this.#job.maxTokens ? [] : undefined;
  }

  nextStep(bound: string | undefined): NextStep<WorkerMember> {
    if (this.#answer.length >= this.#job.maxTokens)
      return { kind: "complete", complete: () => this.#finish("length") };
    if (bound !== undefined) return { kind: "give-up", obstacle: bound };
    if (!this.#isContinuable)
      return {
        kind: "give-up",
        obstacle: "its engine cannot go on with an answer that another one has begun",
      };
    return {
      kind: "move",
      unable: [],
      prepare: () => {
        this.#prompt = this.#promptSoFar;
        this.#tokensBefore = this.#answer.length;
      },
    };
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
    return callError(error, this.#bounds, this.#boundTo);
  }

  onCancelled(isAnswering: boolean): void {
    if (isAnswering) this.life.route!.worker.reportSuccess();
  }

  onFailed(error: ApiError): void {
    this.#output.onError(error);
  }

  onPassedOn(error: ApiError): void {
    this.#output.onPassedOn(error);
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
    this.#silence.onPiece();
    if (!this.#isAnswering) this.#onAnswering();
    if (decoder.cachedTokens !== undefined) this.#noteCached(decoder.cachedTokens);
    const foreign = findForeignToken(decoder, this.#job.model.card.vocabularySize);
    if (foreign === undefined && (decoder.count > 0 || decoder.finish !== undefined)) this.#start();
    if (foreign !== undefined) this.#refuseToken(foreign);
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
    tellFailure(this.life, error, this.failureOf(error), this.#isAnswering ? this.#failureKind : undefined);
  }

  /** A worker that has added to the answer is not taken for lost to it. */
  get #failureKind() {
    return this.#answer.length > this.#tokensBefore ? "answered" : "lost";
  }

  #onSilence(ms: number): void {
    const error = new PlaneError("connection_lost", `The worker has sent nothing for ${ms / 1000} s.`);
    this.life.break({ reason: error.message, failure: this.#failureKind, cause: error });
  }

  #onAnswering(): void {
    this.#isAnswering = true;
    this.life.onAnswered();
  }

  /** With the first token, and not before: until then another worker, or another model, may answer. */
  #start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    const { prompt, model } = this.#job;
    this.#output.onStart(placementOf(this.life.route!, Math.floor(prompt.tokens.length / model.blockSize)));
  }

  #noteCached(tokens: number): void {
    this.#routeCachedTokens = tokens;
    // After a move, the answer's own blocks may be among them.
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
    // Not every engine counts: the answer ends here, whatever more would come.
    else if (decoder.count > room || (count === room && decoder.finish === undefined)) this.#cut("length");
  }

  /** Ends the answer, and with it the engine's work on it. */
  #cut(reason: FinishReason): void {
    const call = this.#call;
    this.#finish(reason);
    call?.cancel();
  }

  #refuseToken(token: number): void {
    const { instance } = this.life.route!.worker;
    const { card } = this.#job.model;
    this.#context.warnings.warn(
      `${instance.name} foreign token`,
      "a worker sent a token id that its model's vocabulary does not have",
      {
        request: this.#job.requestId,
        worker: instance.name,
        token,
        model: card.name,
        vocabularySize: card.vocabularySize,
      },
    );
    this.life.fail(foreignToken(instance.name, token, card));
  }

  #finish(finishReason: FinishReason): void {
    this.#silence.stop();
    this.#call = undefined;
    // Half a character that the detokenizer still holds is no text: the answer ends before it.
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

/** The first tokens of the message. */
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
