import { HttpError, type HttpReceiver } from "../../../dispatch/http/types.ts";
import { ChunkTracker } from "./chunk-tracker.ts";
import { type Framing, parseHead } from "./head.ts";

const LONGEST_HEAD = 64 * 1024;
/** Bytes of an event that are held back until it is whole; a longer one is passed on as it comes. */
const LONGEST_HELD_EVENT = 4 * 1024 * 1024;

export interface AnswerOwner {
  /** The answer is whole. `keepAliveMs`: how long the connection may be idle now; 0 where it is of no more use. */
  onDone(keepAliveMs: number): void;
  onError(error: HttpError): void;
}

const NOTHING = Buffer.alloc(0);

/** Reads one answer: its head, and of its body no more than where it ends. */
export class AnswerReader {
  /** Whether something of the body has come. */
  hasBody = false;
  readonly #method: string;
  readonly #receiver: HttpReceiver;
  readonly #owner: AnswerOwner;
  /** What has come of the head, or of events that are not whole. */
  #held: Buffer = NOTHING;
  #framing: Framing | undefined;
  #keepAliveMs = 0;
  #isEventStream = false;
  #tracker = new ChunkTracker();
  /** Chunks that the receiver has been told of. */
  #toldChunks = 0;
  #left = 0;
  #isClosed = false;

  constructor(method: string, receiver: HttpReceiver, owner: AnswerOwner) {
    this.#method = method;
    this.#receiver = receiver;
    this.#owner = owner;
  }

  /** Nothing more is to be told. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * Takes what was read.
   * @returns whether the bytes are still in use when it returns
   */
  push(bytes: Buffer): boolean {
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

  #onHead(bytes: Buffer): boolean {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const { end, next } = endOfHead(all);
    if (end < 0) {
      if (all.length > LONGEST_HEAD || !/^H(T(T(P\/?)?)?)?$/.test(all.toString("latin1", 0, 5)))
        throw new HttpError("garbage", "The engine's answer does not begin as HTTP does.");
      this.#held = Buffer.from(all);
      return false;
    }
    const parsed = parseHead(all.toString("latin1", 0, end), this.#method);
    this.#held = NOTHING;
    const rest = all.subarray(next);
    if (parsed === undefined) return rest.length > 0 && this.#onHead(rest);
    const { head, framing, keepAliveMs } = parsed;
    this.#framing = framing;
    this.#keepAliveMs = keepAliveMs;
    this.#isEventStream = head.isEventStream;
    this.#left = head.contentLength ?? 0;
    this.#receiver.onHead(head);
    if (this.#isClosed) return false;
    if (framing === "none") {
      if (rest.length > 0) this.#keepAliveMs = 0;
      this.#end(NOTHING);
      return false;
    }
    // Of the rest nobody may keep anything but what is copied: it may be a part of something put together here.
    return rest.length > 0 && this.#onBody(all === bytes ? rest : Buffer.from(rest));
  }

  #onBody(bytes: Buffer): boolean {
    this.hasBody = true;
    switch (this.#framing) {
      case "chunked":
        return this.#onChunks(bytes);
      case "length":
        return this.#onLength(bytes);
      default:
        return this.#tell(bytes, 1);
    }
  }

  #onChunks(bytes: Buffer): boolean {
    const tracker = this.#tracker;
    let end: number;
    try {
      end = tracker.push(bytes);
    } catch (error) {
      throw new HttpError(
        "garbage",
        "The engine's answer breaks off into something that is not HTTP.",
        error,
      );
    }
    if (tracker.isEnded) {
      if (end < bytes.length) this.#keepAliveMs = 0;
      return this.#end(bytes.subarray(0, end));
    }
    const { lastEventEnd } = tracker;
    if (this.#isEventStream && lastEventEnd < bytes.length) {
      if (lastEventEnd > 0) return this.#tellUpTo(lastEventEnd, bytes);
      if (this.#held.length + bytes.length <= LONGEST_HELD_EVENT) {
        this.#held = Buffer.concat([this.#held, bytes]);
        return false;
      }
    }
    const pieces = tracker.chunks - this.#toldChunks;
    this.#toldChunks = tracker.chunks;
    return this.#tell(this.#withHeld(bytes), pieces);
  }

  #onLength(bytes: Buffer): boolean {
    if (bytes.length < this.#left) {
      this.#left -= bytes.length;
      return this.#tell(bytes, 1);
    }
    if (bytes.length > this.#left) this.#keepAliveMs = 0;
    return this.#end(bytes.subarray(0, this.#left));
  }

  /** Passes on whole events, and keeps the beginning of the next one. */
  #tellUpTo(end: number, bytes: Buffer): boolean {
    const pieces = this.#tracker.chunksAtEventEnd - this.#toldChunks;
    this.#toldChunks = this.#tracker.chunksAtEventEnd;
    const wire = this.#withHeld(bytes.subarray(0, end));
    this.#held = Buffer.from(bytes.subarray(end));
    return this.#tell(wire, pieces);
  }

  #withHeld(bytes: Buffer): Buffer {
    if (this.#held.length === 0) return bytes;
    const all = Buffer.concat([this.#held, bytes]);
    this.#held = NOTHING;
    return all;
  }

  #tell(wire: Buffer, pieces: number): boolean {
    return this.#receiver.onBytes(wire, pieces);
  }

  #end(last: Buffer): boolean {
    const wire = this.#withHeld(last);
    const pieces = Math.max(0, this.#tracker.chunks - 1 - this.#toldChunks);
    this.#isClosed = true;
    // Before the receiver hears of it: what it does next may need the connection.
    this.#owner.onDone(this.#keepAliveMs);
    return this.#receiver.onEnd(wire, pieces);
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    if (!(error instanceof HttpError)) throw error;
    this.#owner.onError(error);
  }
}

/** Where the head's text ends, and what follows it begins; `end` is −1 where it has not come whole. */
function endOfHead(bytes: Buffer): { end: number; next: number } {
  const end = bytes.indexOf("\r\n\r\n", 0, "latin1");
  if (end >= 0) return { end, next: end + 4 };
  const bare = bytes.indexOf("\n\n", 0, "latin1");
  return { end: bare, next: bare + 2 };
}
