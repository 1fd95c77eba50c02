import type { ZmtpConnection } from "./connection.ts";
import { CANCEL, SUBSCRIBE } from "./framing.ts";
import { ZmtpListener, type ZmtpPeer } from "./listener.ts";
import { MessageLog } from "./message-log.ts";

export interface ZmtpPublisherOptions {
  endpoint: string;
  /** First frame of every message; subscribers choose by how it begins. */
  topic: Uint8Array;
  /** Messages that a subscriber may be behind before it loses them. */
  highWaterMark: number;
  /** Bytes that the slowest subscriber may be behind, likewise. */
  highWaterBytes: number;
}

/**
 * A PUB socket all of whose messages have one topic. Sending never waits: what subscribers have not taken yet is kept
 * once for all of them. One that is too far behind loses what it is behind with, all at once, and goes on with what
 * comes next.
 */
export class ZmtpPublisher {
  readonly #options: ZmtpPublisherOptions;
  readonly #log = new MessageLog();
  /** Those who want the topic. */
  readonly #subscribers = new Set<Subscriber>();
  #listener: ZmtpListener | undefined;
  #isFlushing = false;

  /** @throws Error whose message says why it cannot be bound, as half a sentence; RangeError for what is no endpoint */
  static async bind(options: ZmtpPublisherOptions): Promise<ZmtpPublisher> {
    const publisher = new ZmtpPublisher(options);
    publisher.#listener = await ZmtpListener.bind(options.endpoint, "PUB", (connection) =>
      publisher.#welcome(connection),
    );
    return publisher;
  }

  private constructor(options: ZmtpPublisherOptions) {
    this.#options = options;
  }

  /** The endpoint with the address and the port that it has. */
  get endpoint(): string {
    return this.#listener?.endpoint ?? this.#options.endpoint;
  }

  /** Subscribers that want the topic. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Sends a message: the topic and these frames, the last of which must not change any more. */
  send(frames: readonly Uint8Array[]): void {
    if (this.#subscribers.size === 0) return;
    this.#log.add([this.#options.topic, ...frames]);
    if (this.#log.isEntryDue) this.#flush();
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // At the end of the turn: what an engine's step says leaves in one piece.
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  /** What has not left is lost. */
  close(): void {
    this.#listener?.close();
    this.#subscribers.clear();
  }

  #welcome(connection: ZmtpConnection): ZmtpPeer {
    return new Subscriber(connection, this.#options.topic, this.#log, {
      onChange: (subscriber) => {
        if (subscriber.isSubscribed) this.#subscribers.add(subscriber);
        else this.#subscribers.delete(subscriber);
        this.#trim();
      },
      onProgress: () => this.#trim(),
    });
  }

  #flush(): void {
    this.#log.seal();
    for (const subscriber of this.#subscribers) subscriber.write();
    this.#trim();
  }

  /** Drops what all have taken; and while too much is left, has the slowest lose it. */
  #trim(): void {
    const { highWaterMark, highWaterBytes } = this.#options;
    for (;;) {
      let slowest = this.#log.end;
      for (const { next } of this.#subscribers) slowest = Math.min(slowest, next);
      this.#log.dropBefore(slowest);
      if (this.#log.messages <= highWaterMark && this.#log.bytes <= highWaterBytes) return;
      for (const subscriber of this.#subscribers) if (subscriber.next === slowest) subscriber.skip();
    }
  }
}

interface SubscriberHandlers {
  /** It has begun or ceased to want the topic. */
  onChange(subscriber: Subscriber): void;
  onProgress(): void;
}

/** A connection of a SUB socket. */
class Subscriber implements ZmtpPeer {
  readonly #connection: ZmtpConnection;
  readonly #topic: Uint8Array;
  readonly #log: MessageLog;
  readonly #handlers: SubscriberHandlers;
  /** Lengths of the subscriptions that the topic begins with; others can match nothing here, and are not kept. */
  readonly #prefixes = new Set<number>();
  /** Number of the log's entry that it gets next. */
  next = 0;

  constructor(connection: ZmtpConnection, topic: Uint8Array, log: MessageLog, handlers: SubscriberHandlers) {
    this.#connection = connection;
    this.#topic = topic;
    this.#log = log;
    this.#handlers = handlers;
  }

  get isSubscribed(): boolean {
    return this.#prefixes.size > 0;
  }

  /** As releases before 3.1 subscribe, and those after it may. */
  onMessage([frame, ...more]: Buffer[]): void {
    const kind = frame?.[0];
    if (more.length === 0 && (kind === SUBSCRIBE || kind === CANCEL))
      this.#change(kind === SUBSCRIBE, frame!.subarray(1));
  }

  onCommand(name: string, data: Buffer): void {
    if (name === "SUBSCRIBE" || name === "CANCEL") this.#change(name === "SUBSCRIBE", data);
  }

  onDrain(): void {
    this.write();
    this.#handlers.onProgress();
  }

  onClose(): void {
    this.#prefixes.clear();
    this.#handlers.onChange(this);
  }

  /** Sends what it has not got yet, as far as it takes it. */
  write(): void {
    const connection = this.#connection;
    if (!this.isSubscribed || this.next === this.#log.end || connection.isFull) return;
    connection.gather(() => {
      while (this.next < this.#log.end && !connection.isFull) {
        for (const part of this.#log.at(this.next++).parts) connection.sendRaw(part);
      }
    });
  }

  /** Loses what it has not got yet. */
  skip(): void {
    this.next = this.#log.end;
  }

  #change(isWanted: boolean, prefix: Buffer): void {
    const { length } = prefix;
    if (length > this.#topic.length || prefix.compare(this.#topic, 0, length) !== 0) return;
    const wasSubscribed = this.isSubscribed;
    if (isWanted) this.#prefixes.add(length);
    else this.#prefixes.delete(length);
    if (this.isSubscribed === wasSubscribed) return;
    // What was sent before it subscribed is not for it.
    this.#log.seal();
    this.skip();
    this.#handlers.onChange(this);
  }
}
