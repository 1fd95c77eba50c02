import type { ApiError } from "../../kernel/errors.ts";
import { unframed } from "../../wire/chunk-tracker.ts";
import { HeldBytes } from "../../wire/held-bytes.ts";
import { type HttpHead, isEventStreamType } from "../../wire/types.ts";
import { classifyAnswer, classifyDocument } from "./classify-answer.ts";
import { type AnswerHooks, ClientReply, eventText, type MissingEnd } from "./client-reply.ts";
import { endsWithDone } from "./event-api.ts";
import { EventInspection } from "./event-inspection.ts";
import { DONE_EVENT } from "./event-text.ts";
import type { WireJob } from "./job.ts";
import { KeptRefusal } from "./kept-refusal.ts";
import { PartialAnswer } from "./partial-answer.ts";
import { latin1, SentBytes } from "./sent-bytes.ts";
import { SplicedStream } from "./spliced-stream.ts";
import { isClientError } from "./statuses.ts";
import { TokenEstimate } from "./token-estimate.ts";

/** An unstreamed answer up to this size is held until it is complete, so that a broken one can be retried. */
const HELD_BYTES = 4 * 1024 * 1024;
/** Longest stream that is kept, so that another engine can continue it. */
const KEPT_BYTES = 8 * 1024 * 1024;
/** Length of an answer's tail, which has the usage. */
const TAIL_BYTES = 4 * 1024;

export interface AnswerUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/**
 * The body of an answer on its way to the client. An event stream is passed on as it arrives, and a copy is kept; any
 * other body is held until it is complete. After a move to another engine, events are rewritten to fit the stream.
 */
export class AnswerBody {
  /** Replaces the client's body in the request to the next engine. */
  requestBody: Uint8Array | undefined;
  /** Whether the engine's answer is unusable; `fault` says why. */
  isBroken = false;
  fault = "";
  /** The answer's HTTP status; for an error sent with status 200, the status it stands for. */
  status = 0;
  readonly #job: WireJob;
  readonly #reply: ClientReply;
  #head: HttpHead | undefined;
  /** Whether more than blanks of the current answer has arrived. */
  #hasOpened = false;
  /** Whether it is one JSON document, although it is declared as an event stream. */
  #isDocument = false;
  #estimate: TokenEstimate;
  #inspection: EventInspection;
  readonly #sent: SentBytes;
  readonly #held = new HeldBytes();
  #partial: PartialAnswer | undefined;
  #splice: SplicedStream | undefined;
  /** Tokens, and events with text, from before the move. */
  #movedTokens = 0;
  #movedEvents = 0;
  #tail = "";
  /** The start of the first piece, as text. */
  #opening = "";
  /** Whether the current answer is a refusal, which is only sent if no engine has a better answer. */
  #isRefusal = false;
  readonly #refusal: KeptRefusal;

  constructor(job: WireJob, hooks: AnswerHooks) {
    this.#job = job;
    this.#sent = new SentBytes(endsWithDone(job.events) ? KEPT_BYTES : 0);
    this.#reply = new ClientReply(job, hooks);
    this.#refusal = new KeptRefusal(hooks);
    this.#estimate = new TokenEstimate(job.model.textTokens);
    this.#inspection = new EventInspection(this.#estimate);
  }

  /** Whether the client has received part of the answer. */
  get hasBegun(): boolean {
    return this.#reply.hasBegun;
  }

  /** Whether the client reads too slowly. */
  get isFull(): boolean {
    return this.#reply.isFull;
  }

  /** Whether it is declared as an event stream, and does not begin like JSON. */
  get isStream(): boolean {
    return this.#head?.isEventStream === true && !this.#isDocument;
  }

  /** Whether the client has received an engine's error about its request, which ends the stream. */
  get hasClientError(): boolean {
    return this.hasBegun && this.isStream && this.status >= 400;
  }

  /** Whether an engine has refused the request with an answer that was kept. */
  get hasRefusal(): boolean {
    return this.#refusal.isKept;
  }

  /** The id at the start of the answer. */
  get resourceId(): string | undefined {
    return /"id"\s*:\s*"([^"\\]{1,256})"/.exec(this.#opening)?.[1];
  }

  /** Prompt tokens that the engine took from its cache, if reported. */
  get cachedTokens(): number | undefined {
    return this.#lastNumber(/"(?:cached_tokens|cache_read_input_tokens)"\s*:\s*(\d+)/g);
  }

  get usage(): AnswerUsage | undefined {
    const promptTokens = this.#lastNumber(/"(?:prompt|input)_tokens"\s*:\s*(\d+)/g);
    if (promptTokens === undefined) return undefined;
    return {
      promptTokens,
      completionTokens: this.#lastNumber(/"(?:completion|output)_tokens"\s*:\s*(\d+)/g) ?? 0,
    };
  }

  /** Estimated length of a streamed answer so far, in tokens. */
  get tokens(): number {
    if (this.#splice === undefined) return this.#estimate.of(this.#inspection.events);
    const events = this.#partial!.textEvents - this.#movedEvents;
    return this.#movedTokens + Math.round(events * this.#estimate.tokensPerEvent);
  }

  /** Estimated tokens in an event with text. */
  get tokensPerEvent(): number {
    return this.#estimate.tokensPerEvent;
  }

  begin(head: HttpHead): void {
    this.#head = head;
    this.status = head.status;
    if (this.#splice !== undefined && !(head.status === 200 && head.isEventStream))
      this.#break(`The engine answered the continued request with status ${head.status}.`);
  }

  /** The engine refuses the request; another one may accept it. */
  beginRefusal(head: HttpHead): void {
    this.#isRefusal = true;
    this.#refusal.begin(head);
  }

  /** Processes a piece. @returns whether its bytes are still in use */
  take(wire: Uint8Array, isFramed: boolean): boolean {
    if (this.isBroken) return false;
    if (this.#isRefusal) return this.#refusal.take(wire);
    if (this.#splice !== undefined) return this.#pushSpliced(wire, isFramed);
    if (!this.#open(wire, isFramed)) return this.#hold(isFramed ? unframed(wire) : wire);
    if (this.#isUnreadStream(wire)) return this.#write(wire, false);
    if (!this.isStream) return this.#hold(isFramed ? unframed(wire) : wire);
    return this.#isValid(wire, isFramed) && this.#send(wire, isFramed);
  }

  /** The same for the last piece. */
  finish(wire: Uint8Array, isFramed: boolean): boolean {
    if (this.isBroken) return false;
    if (this.#isRefusal) return this.#refusal.finish(wire);
    if (this.#splice !== undefined) return this.#finishSpliced(wire, isFramed);
    const hasOpened = this.#open(wire, isFramed);
    if (this.#isUnreadStream(wire)) return this.#reply.finish(this.#head!, wire, false);
    if (!this.isStream) return this.#finishWhole(isFramed ? unframed(wire) : wire);
    if (!this.#isValid(wire, isFramed)) return false;
    this.#sent.append(wire, isFramed);
    this.#tail = this.#sent.tail(TAIL_BYTES);
    if (this.#isComplete) return this.#reply.finish(this.#head!, wire, isFramed);
    this.#break("The engine ended its stream before the answer was complete.");
    return hasOpened && this.#reply.write(this.#head!, wire, isFramed);
  }

  /** Parses what the client has received; undefined if it is not a stream or was too long to keep. */
  readPartial(): PartialAnswer | undefined {
    if (this.#partial !== undefined) return this.#partial;
    if (!this.isStream || !this.#sent.isWhole) return undefined;
    const partial = new PartialAnswer();
    partial.addText(decoder.decode(this.#sent.read()));
    return partial;
  }

  /** Prepares for another engine to continue the answer. @param body the request to it */
  continueWith(body: Record<string, unknown>, partial: PartialAnswer, tokensBefore: number): void {
    this.requestBody = encoder.encode(JSON.stringify(body));
    this.#partial = partial;
    this.#splice = new SplicedStream(partial, tokensBefore);
    this.#movedTokens = tokensBefore;
    this.#movedEvents = partial.textEvents;
  }

  /** Resets the state of a failed attempt. */
  reset(): void {
    this.isBroken = false;
    this.#isRefusal = false;
    this.#hasOpened = false;
    this.#isDocument = false;
    this.#held.clear();
    if (this.#reply.hasBegun) return;
    this.#sent.release();
    this.#estimate = new TokenEstimate(this.#job.model.textTokens);
    this.#inspection = new EventInspection(this.#estimate);
  }

  /** Ends a stream that lacks only its end. */
  complete(partial: PartialAnswer, missing: MissingEnd): void {
    this.#reply.complete(partial, missing);
  }

  /** Ends the stream as it is. */
  end(): void {
    this.#reply.end();
  }

  /** Sends the client the answer with which an engine refused the request. */
  sendRefusal(): void {
    this.status = this.#refusal.send();
  }

  /** Ends an incomplete answer with an error, the engine's own if it sent one. */
  fail(error: ApiError): void {
    const { finding } = this.#inspection;
    const isFromEngine = error.code === "engine_failed" && finding?.kind === "error";
    this.#reply.fail(error, isFromEngine ? finding.event : undefined, this.#sent.tail(TAIL_BYTES));
  }

  /** Frees the kept copy, once the answer has ended. */
  release(): void {
    this.#sent.release();
  }

  /**
   * Whether it is a stream that is passed on without inspection: a compressed one, or one that only its first bytes
   * show to be a stream, not its content type.
   */
  #isUnreadStream(wire: Uint8Array): boolean {
    const { isEncoded, isEventStream, headers, status } = this.#head!;
    if (isEventStream || status !== 200) return false;
    if (!isEncoded && this.#job.events !== undefined && this.#held.length === 0)
      return EVENT_OPENING.test(latin1(wire.subarray(0, EVENT_OPENING_BYTES)));
    return (
      isEncoded && status === 200 && isEventStreamType(headers.find(([name]) => name === "content-type")?.[1])
    );
  }

  /**
   * Looks at the first piece that is more than blanks. Blanks before it may belong to a JSON document as well as to an
   * event stream.
   * @returns whether such a piece has arrived
   */
  #open(wire: Uint8Array, isFramed: boolean): boolean {
    if (this.#hasOpened) return true;
    const { isEventStream, status } = this.#head!;
    if (isEventStream && status === 200 && this.#job.events !== undefined) {
      const opening = latin1((isFramed ? unframed(wire) : wire).subarray(0, TAIL_BYTES)).trimStart();
      if (opening === "") return false;
      // No event of an event stream begins like this.
      this.#isDocument = opening.startsWith("{");
      if (this.isStream && this.#held.length > 0) this.#send(this.#held.takeWith(), false);
    }
    this.#hasOpened = true;
    return true;
  }

  /** Whether a stream is complete: it has `[DONE]`, or every choice has ended. */
  get #isComplete(): boolean {
    if (!endsWithDone(this.#job.events) || this.#inspection.isDone || this.status >= 400) return true;
    if (!this.#sent.isWhole) return /"finish_reason"\s*:\s*"/.test(this.#tail);
    return this.readPartial()?.hasEnded(this.#job.choices) === true;
  }

  #send(wire: Uint8Array, isFramed: boolean): boolean {
    this.#sent.append(wire, isFramed);
    return this.#write(wire, isFramed);
  }

  #write(wire: Uint8Array, isFramed: boolean): boolean {
    if (this.#opening === "" && this.#job.onResource !== undefined) this.#opening = openingOf(wire);
    return this.#reply.write(this.#head!, wire, isFramed);
  }

  #hold(wire: Uint8Array): boolean {
    if (this.#reply.hasBegun) return this.#write(wire, false);
    this.#held.add(wire);
    const { longestAnswer = HELD_BYTES } = this.#job;
    if (this.#held.length <= longestAnswer) return false;
    if (this.#job.longestAnswer !== undefined) {
      this.#break(`The engine's answer is longer than ${longestAnswer / 2 ** 20} MiB.`);
      return false;
    }
    // Too long to be held: from here on it is passed on as it arrives, and cannot be retried.
    this.#write(this.#held.takeWith(), false);
    return false;
  }

  #finishWhole(wire: Uint8Array): boolean {
    const all = this.#held.takeWith(wire);
    this.#tail = latin1(all.subarray(Math.max(0, all.length - TAIL_BYTES)));
    if (this.#job.onResource !== undefined) this.#opening = openingOf(all);
    if (!this.#reply.hasBegun && !this.#isUsable(all)) return false;
    return this.#reply.finish(this.#head!, all, false);
  }

  #isUsable(all: Uint8Array): boolean {
    const answer = this.#isDocument
      ? classifyDocument(all)
      : classifyAnswer(this.#head!, all, this.#job.events);
    switch (answer.kind) {
      case "valid":
        return true;
      case "garbage":
        this.#break("The engine's answer is not JSON.");
        return false;
      case "error":
        if (answer.isClientError) {
          this.status = answer.status;
          return true;
        }
        this.#refusal.keep(this.#head!, new Uint8Array(all));
        this.#break("The engine answered with an error.");
        return false;
    }
  }

  #pushSpliced(wire: Uint8Array, isFramed: boolean): boolean {
    const body = isFramed ? unframed(wire) : wire;
    const { text, fault } = this.#splice!.push(decoder.decode(body));
    if (fault !== undefined) this.#break(fault);
    if (text !== "") this.#reply.writeText(text);
    this.#tail = (this.#tail + text).slice(-TAIL_BYTES);
    return false;
  }

  #finishSpliced(wire: Uint8Array, isFramed: boolean): boolean {
    this.#pushSpliced(wire, isFramed);
    if (this.isBroken) return false;
    const partial = this.#partial!;
    if (partial.isDone || partial.hasEnded(this.#job.choices)) this.#reply.end();
    else this.#break("The engine ended its stream before the answer was complete.");
    return false;
  }

  /**
   * Whether a piece of a stream can be passed on unchanged, which includes errors about the client's request. Before
   * any other error or garbage, passes on only the events that precede it.
   */
  #isValid(wire: Uint8Array, isFramed: boolean): boolean {
    if (this.#job.events === undefined || this.status >= 400) return true;
    const inspection = this.#inspection;
    const end = isFramed ? inspection.inspectChunks(wire) : inspection.inspect(wire);
    if (end === wire.length) return true;
    const { kind, status, event: found } = inspection.finding!;
    if (kind === "error" && isClientError(status)) {
      this.status = status;
      return true;
    }
    const before = wire.subarray(0, end);
    const valid = isFramed ? unframed(before) : new Uint8Array(before);
    if (valid.length > 0) this.#send(valid, false);
    else if (kind === "error" && !this.#reply.hasBegun)
      this.#refusal.keep(
        this.#head!,
        encoder.encode(eventText(found) + (endsWithDone(this.#job.events) ? DONE_EVENT : "")),
      );
    this.#break(`The engine sent ${kind === "error" ? "an error" : "garbage"} in its stream.`);
    return false;
  }

  /** The last token count that the pattern finds. Most streams report none, which is cheap to check first. */
  #lastNumber(pattern: RegExp): number | undefined {
    if (!this.#tail.includes('_tokens"')) return undefined;
    const last = [...this.#tail.matchAll(pattern)].at(-1);
    return last === undefined ? undefined : Number(last[1]);
  }

  #break(fault: string): void {
    this.isBroken = true;
    this.fault = fault;
  }
}

/** How many bytes show whether a body is an event stream. */
const EVENT_OPENING_BYTES = 16;
/** The start of an event stream, in Latin-1 and possibly with a byte order mark. */
const EVENT_OPENING = /^(\u00ef\u00bb\u00bf)?(data|event|id|retry)? ?:/;

const openingOf = (wire: Uint8Array) => latin1(wire.subarray(0, TAIL_BYTES));

const decoder = new TextDecoder();
const encoder = new TextEncoder();
