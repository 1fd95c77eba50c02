import {
  type ClientCall,
  decodeTranscribeEvent,
  encodeTranscribeRequest,
  PlaneError,
  type Receiver,
  type Transcribed,
  type TranscribedSegment,
  type TranscribedWord,
  type TranscribeEvent,
  type TranscribeRefusal,
  type TranscribeRequest,
  transcribeEndpoint,
} from "#runtime";
import type { ApiError } from "../../kernel/errors.ts";
import { type CallBounds, callError, timeLeft } from "../../models/members/call-error.ts";
import type { WorkerMember } from "../../models/members/member.ts";
import type { Route, RouteRequest } from "../../routing/route.ts";
import { Life, type LifeContext, type LifeJob } from "../life.ts";
import { type Placement, placementOf } from "../placement.ts";
import type { NextStep, Transfer } from "../transfer.ts";
import { reportCallFailure } from "./plane-failure.ts";

/** Speech to turn into text. */
export interface TranscriptionJob extends LifeJob<WorkerMember> {
  readonly request: TranscribeRequest;
  /** Whether the client gets the text as it is ready. */
  readonly isStreamed: boolean;
  /** The error for a client whose request the worker refuses. */
  refused(refusal: TranscribeRefusal): ApiError;
}

export interface TranscriptionResult extends Transcribed {
  readonly text: string;
  readonly segments: readonly TranscribedSegment[];
  readonly words: readonly TranscribedWord[];
}

/** `onText` is called only if the answer is streamed. Exactly one of the other three is called, once. */
export interface TranscriptionOutput {
  onText(text: string): void;
  onEnd(result: TranscriptionResult): void;
  onError(error: ApiError): void;
  /** No member has answered, but another model may. */
  onFallback(error: ApiError): void;
}

/**
 * Has a worker turn speech into text, over the request plane. When the worker is lost, another one begins anew; a client
 * that has part of the text gets the rest, if the other worker hears the same.
 */
export class TranscriptionTransfer implements Transfer<WorkerMember> {
  readonly life: Life<WorkerMember>;
  readonly #job: TranscriptionJob;
  readonly #output: TranscriptionOutput;
  readonly #context: LifeContext;
  #call: ClientCall | undefined;
  /** Calls made so far. A cancelled call still reports its end, which must not end the next call. */
  #calls = 0;
  /** What the client has. */
  #sent = "";
  /** What the current worker has said. */
  #text = "";
  #segments: TranscribedSegment[] = [];
  #words: TranscribedWord[] = [];
  #isAnswering = false;

  constructor(job: TranscriptionJob, output: TranscriptionOutput, context: LifeContext) {
    this.#job = job;
    this.#output = output;
    this.#context = context;
    this.life = new Life(job, this, context);
  }

  get hasBegun(): boolean {
    return this.#sent !== "";
  }

  /** Where the request is, or was answered. */
  get placement(): Placement {
    const { prompt, model } = this.#job;
    return placementOf(this.life.route!, Math.floor(prompt.tokens.length / model.blockSize));
  }

  routeRequest(excluded: readonly WorkerMember[]): RouteRequest<WorkerMember> {
    const { prompt, preferences, requestId } = this.#job;
    return { prompt, requestId, preferences, excluded };
  }

  send({ worker: { client } }: Route<WorkerMember>): void {
    const receiver = this.#nextReceiver();
    if (client === undefined) {
      receiver.onError(new PlaneError("overloaded", "The worker is not connected."));
      return;
    }
    const payload = encodeTranscribeRequest(this.#job.request);
    this.#call = client.call(transcribeEndpoint, payload, receiver, { deadlineMs: timeLeft(this.#bounds) });
  }

  /** Applies backpressure to the worker while the client reads too slowly. */
  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    this.#call?.resume();
  }

  abort(): void {
    this.#calls++;
    const call = this.#call;
    this.#call = undefined;
    call?.cancel();
  }

  reset(): void {
    this.#text = "";
    this.#segments = [];
    this.#words = [];
    this.#isAnswering = false;
  }

  unableToContinue(): readonly WorkerMember[] | undefined {
    return this.#isDeterministic ? [] : undefined;
  }

  nextStep(moveObstacle: string | undefined): NextStep<WorkerMember> {
    if (moveObstacle !== undefined) return { kind: "give-up", obstacle: moveObstacle };
    if (!this.#isDeterministic)
      return { kind: "give-up", obstacle: "another worker would hear something else at this temperature" };
    return { kind: "move", unable: [], prepare() {} };
  }

  failureOf(cause: unknown): ApiError {
    const error = cause instanceof PlaneError ? cause : new PlaneError("internal", String(cause));
    const boundTo = this.#job.model.admission.boundTo(this.routeRequest([]));
    return callError(error, this.#bounds, boundTo, this.hasBegun);
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
    const isCurrent = () => number === this.#calls && !this.life.isOver;
    return {
      onMessage: (message) => {
        if (isCurrent()) this.#onEvent(decodeTranscribeEvent(message));
      },
      onEnd: () => {
        if (!isCurrent()) return;
        const reason = "The worker ended the call without the end of the transcription.";
        this.life.break({ reason, failure: "answered" });
      },
      onError: (error) => {
        if (!isCurrent()) return;
        this.#call = undefined;
        const failure = this.#isAnswering ? "lost" : undefined;
        reportCallFailure(this.life, error, this.failureOf(error), failure);
      },
    };
  }

  #onEvent({ text, segments, words, done, refusal }: TranscribeEvent): void {
    this.#isAnswering = true;
    this.life.onAnswered();
    if (refusal !== undefined) {
      this.life.route!.worker.reportSuccess();
      this.life.fail(this.#job.refused(refusal));
      return;
    }
    this.life.onPiece(false);
    this.#text += text;
    this.#segments.push(...(segments ?? []));
    this.#words.push(...(words ?? []));
    if (this.#job.isStreamed && !this.#deliver()) return;
    if (done !== undefined) this.#finish(done);
  }

  /** Sends the client what it has not yet. @returns false if that is not what continues its text */
  #deliver(): boolean {
    const [sent, text] = [this.#sent, this.#text];
    const isSame = text.length < sent.length ? sent.startsWith(text) : text.startsWith(sent);
    if (!isSame) {
      this.life.break({
        reason: "The worker hears something else than the one before it.",
        failure: "answered",
      });
      return false;
    }
    if (text.length > sent.length) {
      this.#sent = text;
      this.#output.onText(text.slice(sent.length));
    }
    // The client may have left.
    return !this.life.isOver;
  }

  #finish(done: Transcribed): void {
    this.#call = undefined;
    this.life.route!.worker.reportSuccess();
    this.life.end("finished");
    this.#output.onEnd({ ...done, text: this.#text, segments: this.#segments, words: this.#words });
  }

  get #isDeterministic(): boolean {
    return !this.#job.request.temperature;
  }

  get #bounds(): CallBounds {
    const { model, preferences } = this.#job;
    const { totalMs } = this.#context.options;
    return { model: model.name, timeoutMs: totalMs, deadlineAt: preferences.deadlineAt };
  }
}
