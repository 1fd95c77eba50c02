import type { NatsConnection, Subscription } from "@nats-io/transport-node";
import { within } from "../../within.ts";
import type { Pipe, PipeSink } from "../pipe.ts";
import { PlaneError } from "../types.ts";
import {
  ahead,
  messageHeadBytes,
  messageType,
  next,
  type PipeMessage,
  putHead,
  readMessage,
} from "./message.ts";

/** Most bytes of the pipe in one message; servers accept at most 1 MB by default. */
const PART_BYTES = 512 * 1024;
const BEAT_MS = 1_000;
/** Heartbeats without a message from the peer after which it is gone, if the server itself answers. */
const SILENT_BEATS = 4;
const SERVER_MS = 1_500;
/** How long the peer has to receive the end of the pipe, in milliseconds. */
const LINGER_MS = 1_000;
const NOTHING = new Uint8Array(0);

export interface NatsPipeOptions {
  readonly connection: NatsConnection;
  /** Where the peer listens. */
  readonly subject: string;
  /** Called once, when the pipe is closed. */
  readonly onClosed: () => void;
}

/**
 * A pipe over NATS. It survives outages of the servers, because it keeps unacknowledged messages and resends them; the
 * calls' flow-control windows bound their size.
 */
export class NatsPipe implements Pipe {
  readonly detectsSilence = true;
  readonly #connection: NatsConnection;
  readonly #subject: string;
  readonly #onClosed: () => void;
  readonly #partBytes: number;
  #subscription: Subscription | undefined;
  #sink: PipeSink | undefined;
  /** Messages received before `start`. */
  #early: PipeMessage[] = [];
  /** Numbered messages that the peer has not acknowledged; the first one's number is `#acknowledged`. */
  #unacknowledged: Uint8Array[] = [];
  #acknowledged = 0;
  /** The next number expected from the peer. */
  #expected = 0;
  /** Whether the peer has been asked to fill a gap that is still open. */
  #hasGap = false;
  /** The number that the peer expected at its last heartbeat. */
  #expectedAtBeat = -1;
  #silentBeats = 0;
  #isCheckingServer = false;
  #state: "open" | "ending" | "closed" = "open";
  readonly #timer: ReturnType<typeof setInterval>;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor({ connection, subject, onClosed }: NatsPipeOptions) {
    this.#connection = connection;
    this.#subject = subject;
    this.#onClosed = onClosed;
    const limit = connection.info?.max_payload ?? PART_BYTES;
    this.#partBytes = Math.max(1, Math.min(PART_BYTES, limit - messageHeadBytes));
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#timer.unref();
  }

  /** Receives the peer's messages on a subject of its own. */
  listen(subject: string): void {
    this.#subscription = this.#connection.subscribe(subject, {
      callback: (error, { data }) => {
        if (error === null) this.onMessage(data);
      },
    });
  }

  start(sink: PipeSink): void {
    this.#sink = sink;
    queueMicrotask(() => {
      for (const message of this.#early.splice(0)) this.#receive(message);
    });
  }

  write(bytes: Uint8Array, done: () => void): void {
    for (let at = 0; at < bytes.length && this.#state === "open"; at += this.#partBytes)
      this.#sendNumbered(messageType.data, bytes.subarray(at, at + this.#partBytes));
    // The bytes have been copied.
    done();
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#sendNumbered(messageType.end, NOTHING);
    this.#state = "ending";
    this.#linger = setTimeout(() => this.destroy(), LINGER_MS);
    this.#linger.unref();
  }

  destroy(): void {
    if (this.#state === "closed") return;
    this.#send(messageType.closed);
    this.#close(undefined);
  }

  /** The server is reachable again; messages published meanwhile are lost. */
  onReconnected(): void {
    this.#silentBeats = 0;
    this.#resend();
    this.#send(messageType.beat);
  }

  onMessage(data: Uint8Array): void {
    const message = readMessage(data);
    if (message === undefined || this.#state === "closed") return;
    this.#silentBeats = 0;
    if (this.#sink === undefined || this.#early.length > 0) this.#early.push(message);
    else this.#receive(message);
  }

  #receive(message: PipeMessage): void {
    if (this.#state === "closed") return;
    this.#acknowledge(message.expected);
    switch (message.type) {
      case messageType.data:
      case messageType.end:
        this.#deliver(message);
        break;
      case messageType.gap:
        this.#resend();
        break;
      case messageType.closed:
        this.#close(undefined);
        break;
      default:
        this.#onBeat(message);
    }
  }

  /** Delivers the next message, or requests the missing ones before it. */
  #deliver({ type, number, bytes }: PipeMessage): void {
    if (number !== this.#expected) {
      if (ahead(number, this.#expected) > 0) this.#requestResend();
      return;
    }
    this.#expected = next(number);
    this.#hasGap = false;
    if (type === messageType.data) this.#sink!.onData(bytes);
    else this.destroy();
  }

  #onBeat({ number, expected }: PipeMessage): void {
    if (ahead(number, this.#expected) > 0) this.#requestResend();
    // The peer has received nothing since its last heartbeat: the latest messages are lost too.
    if (expected === this.#expectedAtBeat && this.#unacknowledged.length > 0) this.#resend();
    this.#expectedAtBeat = expected;
  }

  #requestResend(): void {
    if (this.#hasGap) return;
    this.#hasGap = true;
    this.#send(messageType.gap);
  }

  #acknowledge(expected: number): void {
    const count = ahead(expected, this.#acknowledged);
    if (count <= 0 || count > this.#unacknowledged.length) return;
    this.#unacknowledged.splice(0, count);
    this.#acknowledged = expected;
  }

  #sendNumbered(type: number, bytes: Uint8Array): void {
    const message = new Uint8Array(messageHeadBytes + bytes.length);
    message.set(bytes, messageHeadBytes);
    putHead(message, type, this.#nextNumber, this.#expected);
    this.#unacknowledged.push(message);
    this.#publish(message);
  }

  /** Resends the same arrays, because the client keeps references to those that it has not written yet. */
  #resend(): void {
    for (const message of this.#unacknowledged) this.#publish(message);
  }

  #send(type: number): void {
    const message = new Uint8Array(messageHeadBytes);
    putHead(message, type, this.#nextNumber, this.#expected);
    this.#publish(message);
  }

  get #nextNumber(): number {
    return (this.#acknowledged + this.#unacknowledged.length) >>> 0;
  }

  #publish(message: Uint8Array): void {
    // The message is lost while disconnected; a closed connection throws.
    if (!this.#connection.isClosed()) this.#connection.publish(this.#subject, message);
  }

  #beat(): void {
    // The previous request to resend may have been lost too.
    this.#hasGap = false;
    this.#send(messageType.beat);
    if (++this.#silentBeats > SILENT_BEATS && !this.#isCheckingServer) void this.#checkPeer();
  }

  /** The peer is silent: closes the pipe, unless the server does not answer either. */
  async #checkPeer(): Promise<void> {
    this.#isCheckingServer = true;
    const answers = await answersInTime(this.#connection);
    this.#isCheckingServer = false;
    if (!answers) {
      this.#silentBeats = 0;
      return;
    }
    if (this.#silentBeats <= SILENT_BEATS) return;
    const silence = (SILENT_BEATS * BEAT_MS) / 1000;
    this.#close(new PlaneError("connection_lost", `The peer has been silent for ${silence} s.`));
  }

  #close(error: Error | undefined): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearInterval(this.#timer);
    clearTimeout(this.#linger);
    this.#subscription?.unsubscribe();
    this.#unacknowledged = [];
    this.#onClosed();
    queueMicrotask(() => this.#sink?.onClose(error));
  }
}

const answersInTime = async (connection: NatsConnection): Promise<boolean> =>
  within(SERVER_MS, connection.flush(), () => new Error("NATS does not answer in time.")).then(
    () => true,
    () => false,
  );
