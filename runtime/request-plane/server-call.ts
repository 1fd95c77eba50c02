import { frameType, messageCost, uint32 } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { encodeError } from "./handshake.ts";
import { PlaneError, type ServerCall } from "./types.ts";

/** What a call needs from its connection. */
export interface IncomingCallHome {
  readonly writer: FrameWriter;
  /** Longest message that the client accepts, in bytes. */
  readonly peerMaxBytes: number;
  /** The call with this stream number has ended. */
  forget(stream: number): void;
}

/** The server's side of one call. */
export class IncomingCall implements ServerCall {
  readonly #home: IncomingCallHome;
  readonly #stream: number;
  /** Bytes left in the window; below zero after a message larger than that. */
  #window: number;
  #ended = false;
  #abortReason: PlaneError | undefined;
  /** Created only when the signal is used. */
  #controller: AbortController | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(home: IncomingCallHome, stream: number, windowBytes: number, deadlineMs: number) {
    this.#home = home;
    this.#stream = stream;
    this.#window = windowBytes;
    if (deadlineMs > 0) this.#deadline = setTimeout(() => this.#expire(deadlineMs), deadlineMs);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abortReason && !this.#controller.signal.aborted) this.#controller.abort(this.#abortReason);
    return this.#controller.signal;
  }

  send(message: Uint8Array): boolean {
    if (this.#ended) return false;
    const { writer, peerMaxBytes } = this.#home;
    if (message.length > peerMaxBytes) {
      const reason = `A message of ${message.length} bytes is longer than the client's limit of ${peerMaxBytes}.`;
      throw new PlaneError("invalid_request", reason);
    }
    writer.frame(frameType.message, this.#stream, message);
    this.#window -= message.length + messageCost;
    return this.#window > 0;
  }

  writable(): Promise<void> {
    if (this.#ended || this.#window > 0) return Promise.resolve();
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  end(): void {
    if (this.#ended) return;
    this.#home.writer.frame(frameType.end, this.#stream);
    this.#finish();
  }

  fail(error: PlaneError): void {
    if (this.#ended) return;
    this.#home.writer.frame(frameType.error, this.#stream, encodeError(error));
    this.#finish();
  }

  /** The client has enlarged the window. */
  credit(payload: Uint8Array): void {
    this.#window += uint32(payload, 0);
    if (this.#window > 0) this.#release();
  }

  /** Aborts the call, whose answer is no longer needed. */
  abort(reason: PlaneError): void {
    if (this.#ended) return;
    this.#finish();
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  #expire(deadlineMs: number): void {
    const error = new PlaneError("deadline_exceeded", `The call did not end within ${deadlineMs} ms.`);
    this.#home.writer.frame(frameType.error, this.#stream, encodeError(error));
    this.abort(error);
  }

  #finish(): void {
    this.#ended = true;
    clearTimeout(this.#deadline);
    this.#home.forget(this.#stream);
    this.#release();
  }

  #release(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
