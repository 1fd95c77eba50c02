import type { HttpHead, HttpTransport, WireReply } from "../../dispatch/http/types.ts";
import type { ApiError } from "../../errors.ts";
import { endsWithDone, errorEvent } from "./event-api.ts";
import { inspectEvents } from "./event-inspection.ts";
import { DONE, event } from "./event-text.ts";
import type { ForwardJob } from "./job.ts";
import { PartialAnswer } from "./partial-answer.ts";
import { latin1, SentBytes } from "./sent-bytes.ts";
import { SplicedStream } from "./spliced-stream.ts";

/** A whole answer up to this size is held until it is complete, so that one that breaks can be asked for again. */
const HELD_BYTES = 4 * 1024 * 1024;
/** What is kept of a stream that could be continued; a longer one cannot. */
const KEPT_BYTES = 8 * 1024 * 1024;
/** Where usage stands, from an answer's end on. */
const TAIL_BYTES = 4 * 1024;

const NOTHING = new Uint8Array(0);

export interface AnswerUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
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
  status = 0;
  readonly #job: ForwardJob;
  readonly #transport: HttpTransport;
  readonly #openReply: (head: HttpHead) => WireReply;
  /** Of the first engine whose answer was passed on. */
  #replyHead: HttpHead | undefined;
  #head: HttpHead | undefined;
  #reply: WireReply | undefined;
  readonly #sent: SentBytes;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #partial: PartialAnswer | undefined;
  #splice: SplicedStream | undefined;
  #tail = "";
  /** The first piece's first bytes, as text. */
  #opening = "";
  #isFull = false;

  constructor(job: ForwardJob, transport: HttpTransport, { reply }: { reply(head: HttpHead): WireReply }) {
    this.#job = job;
    this.#sent = new SentBytes(job.continuation === undefined ? 0 : KEPT_BYTES);
    this.#transport = transport;
    this.#openReply = reply;
  }

  /** Whether the client has something of the answer. */
  get hasBegun(): boolean {
    return this.#reply !== undefined;
  }

  /** Whether the client reads too slowly. */
  get isFull(): boolean {
    return this.#isFull;
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

  begin(head: HttpHead): void {
    this.#head = head;
    this.status = head.status;
    if (this.#job.continuation !== undefined && head.status === 200 && !head.isEventStream)
      this.#break("The engine's answer is not the stream that it was asked for.");
    if (this.#splice !== undefined && !(head.status === 200 && head.isEventStream))
      this.#break(`The engine answered the continued request with status ${head.status}.`);
  }

  /** Takes a piece. @returns whether its bytes are still in use */
  take(wire: Uint8Array): boolean {
    if (this.isBroken) return false;
    if (this.#splice !== undefined) return this.#pushSpliced(wire);
    if (!this.#isStream) return this.#hold(wire);
    if (!this.#isSound(wire)) return false;
    this.#sent.append(wire);
    return this.#write(wire);
  }

  /** The same for the last piece. */
  finish(wire: Uint8Array): boolean {
    if (this.isBroken) return false;
    if (this.#splice !== undefined) return this.#finishSpliced(wire);
    if (!this.#isStream) return this.#finishWhole(wire);
    if (!this.#isSound(wire)) return false;
    const last = latin1(wire.subarray(Math.max(0, wire.length - TAIL_BYTES)));
    this.#tail = this.#sent.tail(TAIL_BYTES) + last;
    if (endsWithDone(this.#job.events) && !this.#tail.includes(DONE)) {
      this.#break("The engine ended its stream too early.");
      return false;
    }
    const reply = this.#opened();
    reply.finish(wire);
    return reply.isHolding;
  }

  /** What the client has, read for the first time; undefined where it cannot be continued. */
  readPartial(): PartialAnswer | undefined {
    if (this.#partial !== undefined) return this.#partial;
    if (!this.#sent.isWhole || this.#replyHead === undefined) return undefined;
    const partial = new PartialAnswer();
    partial.addText(decoder.decode(this.#transport.bodyOf(this.#replyHead, this.#sent.read())));
    this.#partial = partial;
    return partial;
  }

  /** From now on another engine continues; this is what it is asked. */
  continueWith(body: Record<string, unknown>, tokensBefore: number): void {
    this.requestBody = encoder.encode(JSON.stringify(body));
    this.#splice = new SplicedStream(this.#partial!, tokensBefore);
  }

  /** The next engine is asked. */
  reset(): void {
    this.isBroken = false;
    this.#held = [];
    this.#heldBytes = 0;
    if (this.#reply === undefined) this.#sent.release();
  }

  /** Ends a stream of which only the end is missing. */
  complete(finishReason?: string): void {
    const partial = this.#partial!;
    const reply = this.#opened();
    if (finishReason !== undefined) {
      const isChat = this.#job.continuation?.api === "chat";
      const choice = { index: 0, ...(isChat ? { delta: {} } : { text: "" }), finish_reason: finishReason };
      const object = isChat ? "chat.completion.chunk" : "text_completion";
      reply.writeText(event(JSON.stringify({ ...partial.identity, object, choices: [choice] })));
    }
    if (!partial.isDone) reply.writeText(event(DONE));
    reply.end();
  }

  /** Tells the client that there is no more, though the answer is not whole. */
  breakOff(error: ApiError): void {
    const reply = this.#reply;
    if (reply === undefined) return;
    if (this.#replyHead?.isEventStream) {
      const { events, requestId } = this.#job;
      reply.writeText(errorEvent(events, error, { requestId, tail: this.#sent.tail(TAIL_BYTES) }));
      reply.end();
    } else reply.destroy();
  }

  /** Lets go of what is kept of it; it has ended. */
  release(): void {
    this.#sent.release();
  }

  get #isStream(): boolean {
    return this.#head?.isEventStream === true;
  }

  #opened(): WireReply {
    if (this.#reply === undefined) {
      this.#replyHead = this.#head!;
      this.#reply = this.#openReply(this.#replyHead);
      const { onWritable } = this.#reply;
      this.#reply.onWritable = () => {
        this.#isFull = false;
        onWritable?.();
      };
    }
    return this.#reply;
  }

  #write(wire: Uint8Array): boolean {
    if (this.#opening === "" && this.#job.onResource !== undefined) this.#opening = openingOf(wire);
    const reply = this.#opened();
    this.#isFull = !reply.write(wire);
    return reply.isHolding;
  }

  #hold(wire: Uint8Array): boolean {
    if (this.#reply !== undefined) return this.#write(wire);
    // Not `slice`, which of Node's buffers makes a view.
    this.#held.push(new Uint8Array(wire));
    this.#heldBytes += wire.length;
    const { longestAnswer = HELD_BYTES } = this.#job;
    if (this.#heldBytes <= longestAnswer) return false;
    if (this.#job.longestAnswer !== undefined) {
      this.#break(`The engine's answer is longer than ${longestAnswer / 2 ** 20} MiB.`);
      return false;
    }
    // Too long to be held: from here on it goes as it comes, and cannot be asked for again.
    this.#write(this.#takeHeld(NOTHING));
    return false;
  }

  #finishWhole(wire: Uint8Array): boolean {
    const all = this.#heldBytes === 0 ? wire : this.#takeHeld(wire);
    this.#tail = latin1(all.subarray(Math.max(0, all.length - TAIL_BYTES)));
    if (this.#job.onResource !== undefined) this.#opening = openingOf(all);
    if (this.#reply === undefined && !this.#isWhole(all)) {
      this.#break("The engine's answer is not a JSON object.");
      return false;
    }
    const reply = this.#opened();
    reply.finish(all);
    return reply.isHolding;
  }

  /** A look at both ends of an answer of an API that is known here. */
  #isWhole(wire: Uint8Array): boolean {
    const head = this.#head!;
    if (this.status !== 200 || !head.hasBody || this.#job.events === undefined) return true;
    const text = latin1(this.#transport.bodyOf(head, wire)).trim();
    return text.startsWith("{") && text.endsWith("}");
  }

  #takeHeld(last: Uint8Array): Uint8Array {
    const all = new Uint8Array(this.#heldBytes + last.length);
    let offset = 0;
    for (const part of [...this.#held, last]) {
      all.set(part, offset);
      offset += part.length;
    }
    this.#held = [];
    this.#heldBytes = 0;
    return all;
  }

  #pushSpliced(wire: Uint8Array): boolean {
    const { text, fault } = this.#splice!.push(decoder.decode(this.#transport.bodyOf(this.#head!, wire)));
    if (fault !== undefined) this.#break(fault);
    if (text !== "") this.#isFull = !this.#opened().writeText(text);
    this.#tail = (this.#tail + text).slice(-TAIL_BYTES);
    return false;
  }

  #finishSpliced(wire: Uint8Array): boolean {
    this.#pushSpliced(wire);
    if (this.isBroken) return false;
    if (!this.#partial!.isDone) this.#break("The engine ended its stream too early.");
    else this.#opened().end();
    return false;
  }

  /** A look at the piece's beginning: an error, or what is no event, is not passed on where another engine may do better. */
  #isSound(wire: Uint8Array): boolean {
    if (this.#job.events === undefined) return true;
    const verdict = inspectEvents(wire);
    if (verdict !== "sound") this.#break(`The engine sent ${verdict} in its stream.`);
    return verdict === "sound";
  }

  /** The last count of tokens that the pattern finds; most streams tell none, which is soon seen. */
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

const openingOf = (wire: Uint8Array) => latin1(wire.subarray(0, TAIL_BYTES));

const decoder = new TextDecoder();
const encoder = new TextEncoder();
