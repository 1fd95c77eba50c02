import type { NatsConnection, Subscription } from "@nats-io/transport-node";
import type { Pipe, PipeSink } from "../pipe.ts";
import { PlaneError } from "../types.ts";
import { ahead, type Message, messageHeadBytes, messageType, next, putHead, readMessage } from "./message.ts";

/** Most bytes of the pipe in one message; a server takes at most 1 MB by default. */
const PART_BYTES = 512 * 1024;
const BEAT_MS = 1_000;
/** Beats without a sign of the peer after which it is gone, if the server itself answers. */
const SILENT_BEATS = 4;
const SERVER_MS = 1_500;
/** How long a peer may take to receive the end of the pipe. */
const LINGER_MS = 1_000;
const NOTHING = new Uint8Array(0);

export interface NatsPipeOptions {
  readonly connection: NatsConnection;
  /** Where the peer listens. */
  readonly subject: string;
  /** Called once, when the pipe is gone. */
  readonly onGone: () => void;
}

/**
 * A pipe over NATS. It outlives outages of the servers: what the peer has not acknowledged is kept and sent again. The
 * windows of the calls bound how much that is.
 */
export class NatsPipe implements Pipe {
  readonly noticesSilence = true;
  readonly #connection: NatsConnection;
  readonly #subject: string;
  readonly #onGone: () => void;
  readonly #partBytes: number;
  #subscription: Subscription | undefined;
  #sink: PipeSink | undefined;
  /** Messages from before `start`. */
  #early: Message[] = [];
  /** Numbered messages that the peer has not acknowledged; the first has the number `#acknowledged`. */
  #unacknowledged: Uint8Array[] = [];
  #acknowledged = 0;
  /** The next number expected from the peer. */
  #expected = 0;
  /** Whether the peer was told of a gap, and it is not filled yet. */
  #hasGap = false;
  /** What the peer expected at its last beat. */
  #expectedAtBeat = -1;
  #silentBeats = 0;
  #isAsking = false;
  #state: "open" | "ending" | "gone" = "open";
  readonly #timer: ReturnType<typeof setInterval>;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor({ connection, subject, onGone }: NatsPipeOptions) {
    this.#connection = connection;
    this.#subject = subject;
    this.#onGone = onGone;
    const limit = connection.info?.max_payload ?? PART_BYTES;
    this.#partBytes = Math.max(1, Math.min(PART_BYTES, limit - messageHeadBytes));
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#timer.unref();
  }

  /** Receives the peer's messages from a subject of this pipe's own. */
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
    if (this.#state === "gone") return;
    this.#send(messageType.gone);
    this.#close(undefined);
  }

  /** The server is reachable again: what was published meanwhile is lost. */
  onReconnected(): void {
    this.#silentBeats = 0;
    this.#resend();
    this.#send(messageType.beat);
  }

  onMessage(data: Uint8Array): void {
    const message = readMessage(data);
    if (message === undefined || this.#state === "gone") return;
    this.#silentBeats = 0;
    if (this.#sink === undefined || this.#early.length > 0) this.#early.push(message);
    else this.#receive(message);
  }

  #receive(message: Message): void {
    if (this.#state === "gone") return;
    this.#acknowledge(message.expected);
    switch (message.type) {
      case messageType.data:
      case messageType.end:
        this.#take(message);
        break;
      case messageType.gap:
        this.#resend();
        break;
      case messageType.gone:
        this.#close(undefined);
        break;
      default:
        this.#onBeat(message);
    }
  }

  /** Takes what comes next; asks again for what is missing before it. */
  #take({ type, number, bytes }: Message): void {
    if (number !== this.#expected) {
      if (ahead(number, this.#expected) > 0) this.#askAgain();
      return;
    }
    this.#expected = next(number);
    this.#hasGap = false;
    if (type === messageType.data) this.#sink!.onData(bytes);
    else this.destroy();
  }

  #onBeat({ number, expected }: Message): void {
    if (ahead(number, this.#expected) > 0) this.#askAgain();
    // The peer has not got on since its last beat: the last messages are lost, too.
    if (expected === this.#expectedAtBeat && this.#unacknowledged.length > 0) this.#resend();
    this.#expectedAtBeat = expected;
  }

  #askAgain(): void {
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

  /** As they were: the client keeps references to what it has not written yet. */
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
    // While there is no connection, this loses the message. A closed one throws.
    if (!this.#connection.isClosed()) this.#connection.publish(this.#subject, message);
  }

  #beat(): void {
    // A gap that was asked for may have been lost too.
    this.#hasGap = false;
    this.#send(messageType.beat);
    if (++this.#silentBeats > SILENT_BEATS && !this.#isAsking) void this.#judge();
  }

  /** The peer is silent: it is gone, unless the server is. */
  async #judge(): Promise<void> {
    this.#isAsking = true;
    const answers = await answersInTime(this.#connection);
    this.#isAsking = false;
    if (!answers) {
      this.#silentBeats = 0;
      return;
    }
    if (this.#silentBeats <= SILENT_BEATS) return;
    const silence = (SILENT_BEATS * BEAT_MS) / 1000;
    this.#close(new PlaneError("connection_lost", `The peer has been silent for ${silence} s.`));
  }

  #close(error: Error | undefined): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    clearInterval(this.#timer);
    clearTimeout(this.#linger);
    this.#subscription?.unsubscribe();
    this.#unacknowledged = [];
    this.#onGone();
    queueMicrotask(() => this.#sink?.onClose(error));
  }
}

async function answersInTime(connection: NatsConnection): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), SERVER_MS);
  });
  const flushed = connection.flush().then(
    () => true,
    () => false,
  );
  return Promise.race([flushed, late]).finally(() => clearTimeout(timer));
}
