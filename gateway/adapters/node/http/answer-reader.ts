import { ChunkTracker } from "../../../wire/chunk-tracker.ts";
import { EventBoundary, LONGEST_EVENT } from "../../../wire/event-boundary.ts";
import { HeldBytes } from "../../../wire/held-bytes.ts";
import { HttpError, type HttpReceiver } from "../../../wire/types.ts";
import { type Framing, parseHead } from "./head.ts";

const LONGEST_HEAD = 64 * 1024;

export interface AnswerOwner {
  /** The answer is complete. `keepAliveMs`: how long the connection may stay idle; 0 if it cannot be reused. */
  onDone(keepAliveMs: number): void;
  onError(error: HttpError): void;
}

const NOTHING = new Uint8Array(0);

/**
 * Reads one answer: its head, the end of its body, and the event boundaries of an event stream.
 *
 * As long as every chunk of an event stream consists of whole events, which is how engines write them, chunks are
 * passed on byte for byte, framing included. From the first chunk that does not (for example because a proxy has
 * split them differently), the framing is stripped, and events are passed on as soon as they are complete.
 */
export class AnswerReader {
  /** Whether part of the answer has arrived. */
  hasBegun = false;
  /** Whether part of the body has arrived. */
  hasBody = false;
  readonly #method: string;
  readonly #receiver: HttpReceiver;
  readonly #owner: AnswerOwner;
  /** The incomplete head or event received so far. */
  readonly #held = new HeldBytes();
  #framing: Framing | undefined;
  #keepAliveMs = 0;
  #tracker = new ChunkTracker();
  /** Whether chunks are passed on with their framing. */
  #isFramed = false;
  /** Finds event boundaries when chunks do not align with events. */
  #boundary: EventBoundary | undefined;
  /** Remaining bytes of a body with a content-length. */
  #left = 0;
  #isClosed = false;

  constructor(method: string, receiver: HttpReceiver, owner: AnswerOwner) {
    this.#method = method;
    this.#receiver = receiver;
    this.#owner = owner;
  }

  /** Stops reporting to the receiver and the owner. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * Takes the bytes of one read.
   * @returns whether the bytes are still in use afterwards
   */
  push(bytes: Uint8Array): boolean {
    this.hasBegun = true;
    try {
      return this.#framing === undefined ? this.#onHead(bytes) : this.#onBody(bytes);
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** The server has closed its side. */
  onServerEnd(): void {
    if (this.#isClosed) return;
    if (this.#framing === "close") this.#end(NOTHING);
    else
      this.#fail(new HttpError("lost", "The engine closed the connection before its answer was complete."));
  }

  #onHead(bytes: Uint8Array): boolean {
    const isWhole = this.#held.length === 0;
    const all = asBuffer(this.#held.takeWith(bytes));
    const { end, next } = endOfHead(all);
    if (end < 0) {
      if (all.length > LONGEST_HEAD || !/^H(T(T(P\/?)?)?)?$/.test(all.toString("latin1", 0, 5)))
        throw new HttpError("garbage", "The engine's answer does not begin like HTTP.");
      this.#held.add(all);
      return false;
    }
    const parsed = parseHead(all.toString("latin1", 0, end), this.#method);
    const rest = all.subarray(next);
    if (parsed === undefined) return rest.length > 0 && this.#onHead(rest);
    const { head, framing, length, keepAliveMs } = parsed;
    this.#framing = framing;
    this.#keepAliveMs = keepAliveMs;
    this.#isFramed = framing === "chunked" && head.isEventStream;
    if (head.isEventStream) this.#boundary = new EventBoundary();
    this.#left = length;
    this.#receiver.onHead(head);
    if (this.#isClosed) return false;
    if (framing === "none") {
      if (rest.length > 0) this.#keepAliveMs = 0;
      this.#end(NOTHING);
      return false;
    }
    // If the head came in several reads, the rest is part of a temporary buffer and is copied.
    return rest.length > 0 && this.#onBody(isWhole ? rest : Buffer.from(rest));
  }

  #onBody(bytes: Uint8Array): boolean {
    this.hasBody = true;
    switch (this.#framing) {
      case "chunked":
        return this.#isFramed ? this.#onFramed(bytes) : this.#onChunks(bytes);
      case "length":
        return this.#onLength(bytes);
      default:
        return this.#pass(bytes);
    }
  }

  /** Passes on whole chunks, framing included, as long as each of them ends with an event. */
  #onFramed(bytes: Uint8Array): boolean {
    const tracker = this.#tracker;
    const end = follow(tracker, bytes);
    if (!tracker.isEventByEvent) {
      this.#isFramed = false;
      this.#tracker = new ChunkTracker();
      return this.#onChunks(this.#held.takeWith(bytes));
    }
    const { lastChunkEnd } = tracker;
    if (tracker.isEnded) {
      if (end < bytes.length) this.#keepAliveMs = 0;
      // If no chunk has ended in this read, only the beginning of the last chunk's line is held.
      if (lastChunkEnd === 0) this.#held.clear();
      return this.#finish(
        lastChunkEnd === 0 ? NOTHING : this.#held.takeWith(bytes.subarray(0, lastChunkEnd)),
      );
    }
    if (lastChunkEnd === 0) return this.#hold(bytes);
    const isAll = lastChunkEnd === bytes.length;
    const wire = this.#held.takeWith(isAll ? bytes : bytes.subarray(0, lastChunkEnd));
    if (!isAll) this.#hold(bytes.subarray(lastChunkEnd));
    return this.#receiver.onBytes(wire, true);
  }

  #onChunks(bytes: Uint8Array): boolean {
    const runs: Uint8Array[] = [];
    const end = follow(this.#tracker, bytes, (from, to) => runs.push(bytes.subarray(from, to)));
    const data = runs.length === 1 ? runs[0]! : Buffer.concat(runs);
    if (!this.#tracker.isEnded) return this.#pass(data);
    if (end < bytes.length) this.#keepAliveMs = 0;
    return this.#end(data);
  }

  #onLength(bytes: Uint8Array): boolean {
    if (bytes.length < this.#left) {
      this.#left -= bytes.length;
      return this.#pass(bytes);
    }
    if (bytes.length > this.#left) this.#keepAliveMs = 0;
    return this.#end(bytes.subarray(0, this.#left));
  }

  /** Passes on part of the body; for an event stream, only whole events. */
  #pass(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return false;
    if (this.#boundary === undefined) return this.#receiver.onBytes(bytes, false);
    const end = this.#boundary.push(bytes);
    if (end === 0) return this.#hold(bytes);
    const whole = this.#held.takeWith(bytes.subarray(0, end));
    this.#hold(bytes.subarray(end));
    return this.#receiver.onBytes(whole, false);
  }

  #hold(bytes: Uint8Array): false {
    this.#held.add(bytes);
    if (this.#held.length > LONGEST_EVENT)
      throw new HttpError("garbage", `The engine sent an event of more than ${LONGEST_EVENT / 2 ** 20} MiB.`);
    return false;
  }

  #end(last: Uint8Array): boolean {
    this.#isFramed = false;
    return this.#finish(this.#held.takeWith(last));
  }

  #finish(wire: Uint8Array): boolean {
    this.#isClosed = true;
    // Before the receiver is notified, because its next request may use this connection.
    this.#owner.onDone(this.#keepAliveMs);
    return this.#receiver.onEnd(wire, this.#isFramed);
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    if (!(error instanceof HttpError)) throw error;
    this.#owner.onError(error);
  }
}

/** @throws HttpError `garbage` if it is not valid chunked coding */
function follow(
  tracker: ChunkTracker,
  bytes: Uint8Array,
  onData?: (from: number, to: number) => void,
): number {
  try {
    return tracker.push(bytes, onData);
  } catch (error) {
    throw new HttpError("garbage", "The engine's answer is not valid chunked coding.", error);
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The end of the head's text, and the start of what follows; `end` is −1 if the head is incomplete. */
function endOfHead(bytes: Buffer): { end: number; next: number } {
  const usual = bytes.indexOf("\n\r\n", 0, "latin1");
  const bare = bytes.indexOf("\n\n", 0, "latin1");
  const isBare = bare >= 0 && (usual < 0 || bare < usual);
  return isBare ? { end: bare, next: bare + 2 } : { end: usual, next: usual + 3 };
}
