import type { ApiError } from "../../kernel/errors.ts";
import { unframed } from "../../wire/chunk-tracker.ts";
import { HeldBytes } from "../../wire/held-bytes.ts";
import { type HttpHead, isEventStreamType } from "../../wire/types.ts";
import type { Placement } from "../placement.ts";
import { type AnswerHooks, ClientReply, eventText, type MissingEnd } from "./client-reply.ts";
import { endsWithDone } from "./event-api.ts";
import { EventInspection } from "./event-inspection.ts";
import { DONE_EVENT } from "./event-text.ts";
import type { WireJob } from "./job.ts";
import { judgeWhole } from "./judge-whole.ts";
import { PartialAnswer } from "./partial-answer.ts";
import { latin1, SentBytes } from "./sent-bytes.ts";
import { SplicedStream } from "./spliced-stream.ts";
import { isClientError } from "./statuses.ts";
import { TokenEstimate } from "./token-estimate.ts";

/** A whole answer up to this size is held until it is complete, so that one that breaks can be asked for again. */
const HELD_BYTES = 4 * 1024 * 1024;
/** What is kept of a stream that could be continued; a longer one cannot. */
const KEPT_BYTES = 8 * 1024 * 1024;
/** What is kept of an answer that is given only where no engine has a better one. */
const REFUSAL_BYTES = 64 * 1024;
/** Where usage stands, from an answer's end on. */
const TAIL_BYTES = 4 * 1024;

export interface AnswerUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** An engine's answer that says that it cannot serve the request, in its own words. */
interface Refusal {
  readonly head: HttpHead;
  readonly placement: Placement;
  readonly body: Uint8Array;
}

/**
 * The body of an answer on its way to the client. An event stream goes on as it comes, and what has been sent is kept
 * as it is; anything else is held until it is whole. After a move to another engine, each event is made to fit.
 */
export class AnswerBody {
  /** What to ask the next engine in place of the client's body. */
  requestBody: Uint8Array | undefined;
  /** Whether the engine's answer has turned out to be of no use; `fault` says why. */
  isBroken = false;
  fault = "";
  /** The answer's HTTP status; of an error that came with 200, the one that it stands for. */
  status = 0;
  readonly #job: WireJob;
  readonly #hooks: AnswerHooks;
  readonly #reply: ClientReply;
  #head: HttpHead | undefined;
  #estimate: TokenEstimate;
  #inspection: EventInspection;
  readonly #sent: SentBytes;
  readonly #held = new HeldBytes();
  #partial: PartialAnswer | undefined;
  #splice: SplicedStream | undefined;
  /** Tokens, and events with text, that came before the move. */
  #movedTokens = 0;
  #movedEvents = 0;
  #tail = "";
  /** The first piece's first bytes, as text. */
  #opening = "";
  /** Whether what comes is only kept, in case that no engine has a better answer. */
  #isRefusal = false;
  /** Whether it is short enough to be kept. */
  #isRefusalKept = true;
  #refusal: Refusal | undefined;

  constructor(job: WireJob, hooks: AnswerHooks) {
    this.#job = job;
    this.#sent = new SentBytes(endsWithDone(job.events) ? KEPT_BYTES : 0);
    this.#hooks = hooks;
    this.#reply = new ClientReply(job, hooks);
    this.#estimate = new TokenEstimate(job.model.textTokens);
    this.#inspection = new EventInspection(this.#estimate);
  }

  /** Whether the client has something of the answer. */
  get hasBegun(): boolean {
    return this.#reply.hasBegun;
  }

  /** Whether the client reads too slowly. */
  get isFull(): boolean {
    return this.#reply.isFull;
  }

  /** Whether it is an event stream, and says so. */
  get isStream(): boolean {
    return this.#head?.isEventStream === true;
  }

  /** Whether the client has an error that ends its stream, in the engine's words. */
  get hasClientError(): boolean {
    return this.hasBegun && this.isStream && this.status >= 400;
  }

  /** Whether there is an answer by which an engine has refused the request. */
  get hasRefusal(): boolean {
    return this.#refusal !== undefined;
  }

  /** The id that the answer begins with. */
  get resourceId(): string | undefined {
    return /"id"\s*:\s*"([^"\\]{1,256})"/.exec(this.#opening)?.[1];
  }

  /** How much of the prompt the engine took from its cache, where it has told. */
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

  /** About how many tokens a streamed answer has so far. */
  get tokens(): number {
    if (this.#splice === undefined) return this.#estimate.of(this.#inspection.events);
    const events = this.#partial!.textEvents - this.#movedEvents;
    return this.#movedTokens + Math.round(events * this.#estimate.tokensPerEvent);
  }

  /** About how many tokens an event with text has. */
  get tokensPerEvent(): number {
    return this.#estimate.tokensPerEvent;
  }

  begin(head: HttpHead): void {
    this.#head = head;
    this.status = head.status;
    if (this.#splice !== undefined && !(head.status === 200 && head.isEventStream))
      this.#break(`The engine answered the continued request with status ${head.status}.`);
  }

  /** The engine refuses the request; another one may not. */
  beginRefusal(head: HttpHead): void {
    this.#head = head;
    this.#isRefusal = true;
    this.#isRefusalKept = true;
  }

  /** Takes a piece. @returns whether its bytes are still in use */
  take(wire: Uint8Array, isFramed: boolean): boolean {
    if (this.isBroken) return false;
    if (this.#isRefusal) return this.#keepRefusal(wire);
    if (this.#splice !== undefined) return this.#pushSpliced(wire, isFramed);
    if (this.#isUnreadStream(wire)) return this.#write(wire, false);
    if (!this.isStream) return this.#hold(wire);
    return this.#isSound(wire, isFramed) && this.#send(wire, isFramed);
  }

  /** The same for the last piece. */
  finish(wire: Uint8Array, isFramed: boolean): boolean {
    if (this.isBroken) return false;
    if (this.#isRefusal) return this.#finishRefusal(wire);
    if (this.#splice !== undefined) return this.#finishSpliced(wire, isFramed);
    if (this.#isUnreadStream(wire)) return this.#reply.finish(this.#head!, wire, false);
    if (!this.isStream) return this.#finishWhole(wire);
    if (!this.#isSound(wire, isFramed)) return false;
    this.#sent.append(wire, isFramed);
    this.#tail = this.#sent.tail(TAIL_BYTES);
    if (this.#isComplete) return this.#reply.finish(this.#head!, wire, isFramed);
    this.#break("The engine ended its stream too early.");
    return this.#reply.write(this.#head!, wire, isFramed);
  }

  /** What the client has, read for the first time; undefined where it cannot be continued. */
  readPartial(): PartialAnswer | undefined {
    if (this.#partial !== undefined) return this.#partial;
    if (!this.isStream || !this.#sent.isWhole) return undefined;
    const partial = new PartialAnswer();
    partial.addText(decoder.decode(this.#sent.read()));
    return partial;
  }

  /** From now on another engine continues; this is what it is asked. */
  continueWith(body: Record<string, unknown>, partial: PartialAnswer, tokensBefore: number): void {
    this.requestBody = encoder.encode(JSON.stringify(body));
    this.#partial = partial;
    this.#splice = new SplicedStream(partial, tokensBefore);
    this.#movedTokens = tokensBefore;
    this.#movedEvents = partial.textEvents;
  }

  /** The next engine is asked. */
  reset(): void {
    this.isBroken = false;
    this.#isRefusal = false;
    this.#held.clear();
    if (this.#reply.hasBegun) return;
    this.#sent.release();
    this.#estimate = new TokenEstimate(this.#job.model.textTokens);
    this.#inspection = new EventInspection(this.#estimate);
  }

  /** Ends a stream of which only the end is missing. */
  complete(partial: PartialAnswer, missing: MissingEnd): void {
    this.#reply.complete(partial, missing);
  }

  /** Ends a stream that has all that it will have. */
  end(): void {
    this.#reply.end();
  }

  /** Gives the client what an engine has refused the request with. */
  giveRefusal(): void {
    const { head, placement, body } = this.#refusal!;
    this.status = head.status;
    this.#hooks.reply(head, placement).finish(body, false);
  }

  /** Tells the client that there is no more, though the answer is not whole: in the engine's words, where it has any. */
  breakOff(error: ApiError): void {
    const { finding } = this.#inspection;
    const isEngines = error.code === "engine_failed" && finding?.kind === "error";
    this.#reply.breakOff(error, isEngines ? finding.event : undefined, this.#sent.tail(TAIL_BYTES));
  }

  /** Lets go of what is kept of it; it has ended. */
  release(): void {
    this.#sent.release();
  }

  /**
   * Whether it is a stream that passes on as it comes: it is compressed, or its first bytes show that it is one, though
   * its content type does not say so.
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

  /** Whether a stream has all that belongs to it: OpenAI's last event, or an end of each choice. */
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
    // Too long to be held: from here on it goes as it comes, and cannot be asked for again.
    this.#write(this.#held.takeWith(), false);
    return false;
  }

  #finishWhole(wire: Uint8Array): boolean {
    const all = this.#held.takeWith(wire);
    this.#tail = latin1(all.subarray(Math.max(0, all.length - TAIL_BYTES)));
    if (this.#job.onResource !== undefined) this.#opening = openingOf(all);
    if (!this.#reply.hasBegun && !this.#isUseful(all)) return false;
    return this.#reply.finish(this.#head!, all, false);
  }

  #isUseful(all: Uint8Array): boolean {
    const judged = judgeWhole(this.#head!, all, this.#job.events);
    switch (judged.kind) {
      case "sound":
        return true;
      case "garbage":
        this.#break("The engine's answer is not JSON.");
        return false;
      case "error":
        if (judged.isClients) {
          this.status = judged.status;
          return true;
        }
        this.#refuse(this.#head!, new Uint8Array(all));
        this.#break("The engine answered with an error.");
        return false;
    }
  }

  #keepRefusal(wire: Uint8Array): false {
    this.#isRefusalKept &&= this.#held.length + wire.length <= REFUSAL_BYTES;
    if (this.#isRefusalKept) this.#held.add(wire);
    else this.#held.clear();
    return false;
  }

  #finishRefusal(wire: Uint8Array): false {
    this.#keepRefusal(wire);
    const body = this.#held.takeWith();
    if (this.#isRefusalKept) this.#refuse({ ...this.#head!, contentLength: body.length }, body);
    return false;
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
    else this.#break("The engine ended its stream too early.");
    return false;
  }

  /**
   * Whether a piece of a stream can go on as it is. An error that is the client's fault can; of others, and of garbage,
   * only what came before them.
   */
  #isSound(wire: Uint8Array, isFramed: boolean): boolean {
    if (this.#job.events === undefined || this.status >= 400) return true;
    const inspection = this.#inspection;
    const end = isFramed ? inspection.lookIntoChunks(wire) : inspection.look(wire);
    if (end === wire.length) return true;
    const { kind, status, event: found } = inspection.finding!;
    if (kind === "error" && isClientError(status)) {
      this.status = status;
      return true;
    }
    const before = wire.subarray(0, end);
    const sound = isFramed ? unframed(before) : new Uint8Array(before);
    if (sound.length > 0) this.#send(sound, false);
    else if (kind === "error" && !this.#reply.hasBegun)
      this.#refuse(
        this.#head!,
        encoder.encode(eventText(found) + (endsWithDone(this.#job.events) ? DONE_EVENT : "")),
      );
    this.#break(`The engine sent ${kind === "error" ? "an error" : "garbage"} in its stream.`);
    return false;
  }

  /** The last count of tokens that the pattern finds; most streams tell none, which is soon seen. */
  #lastNumber(pattern: RegExp): number | undefined {
    if (!this.#tail.includes('_tokens"')) return undefined;
    const last = [...this.#tail.matchAll(pattern)].at(-1);
    return last === undefined ? undefined : Number(last[1]);
  }

  #refuse(head: HttpHead, body: Uint8Array): void {
    this.#refusal = { head, placement: this.#hooks.placement(), body };
  }

  #break(fault: string): void {
    this.isBroken = true;
    this.fault = fault;
  }
}

/** Bytes that show whether a body is an event stream. */
const EVENT_OPENING_BYTES = 16;
/** How an event stream begins, in Latin-1 and perhaps with a byte order mark. */
const EVENT_OPENING = /^(\u00ef\u00bb\u00bf)?(data|event|id|retry)? ?:/;

const openingOf = (wire: Uint8Array) => latin1(wire.subarray(0, TAIL_BYTES));

const decoder = new TextDecoder();
const encoder = new TextEncoder();
