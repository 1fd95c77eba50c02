import type { ZmtpConnection } from "../zmtp/connection.ts";
import type { ZmtpPeer } from "../zmtp/listener.ts";
import { decodeSequence, emptyFrame, encodeSequence, endMarker } from "./frames.ts";

/** A publisher's past batches. */
export interface PastBatches {
  readonly topic: Uint8Array;
  /** The number of the oldest batch. */
  readonly oldest: number;
  /** The number of the next batch to be published. */
  readonly end: number;
  payload(sequence: number): Uint8Array;
}

/**
 * Answers one client's replay requests, one after the other and no faster than it reads. Batches dropped meanwhile are
 * omitted.
 */
export class ReplayServer implements ZmtpPeer {
  readonly #connection: ZmtpConnection;
  readonly #past: PastBatches;
  /** Pending requests: the next batch to send, and the end (exclusive). */
  readonly #requests: { next: number; end: number }[] = [];

  constructor(connection: ZmtpConnection, past: PastBatches) {
    this.#connection = connection;
    this.#past = past;
  }

  onMessage(frames: Buffer[]): void {
    // The empty frame before the number comes from REQ sockets, or clients that imitate them.
    const from = decodeSequence(frames.at(-1));
    if (from === undefined) return;
    this.#requests.push({ next: from, end: this.#past.end });
    this.#answer();
  }

  onDrain(): void {
    this.#answer();
  }

  onClose(): void {
    this.#requests.length = 0;
  }

  #answer(): void {
    this.#connection.gather(() => {
      while (this.#requests.length > 0 && !this.#connection.isFull) this.#sendNext(this.#requests[0]!);
    });
    if (this.#requests.length > 0) this.#connection.pause();
    else this.#connection.resume();
  }

  #sendNext(request: { next: number; end: number }): void {
    const sequence = Math.max(request.next, this.#past.oldest);
    if (sequence < request.end) {
      request.next = sequence + 1;
      const { topic } = this.#past;
      const payload = this.#past.payload(sequence);
      this.#connection.send([emptyFrame, topic, encodeSequence(sequence), payload]);
    } else {
      this.#requests.shift();
      this.#connection.send([emptyFrame, emptyFrame, endMarker, emptyFrame]);
    }
  }
}
