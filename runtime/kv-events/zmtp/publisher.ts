import type { ZmtpConnection } from "./connection.ts";
import { CANCEL, SUBSCRIBE } from "./framing.ts";
import { ZmtpListener, type ZmtpPeer } from "./listener.ts";
import { MessageLog } from "./message-log.ts";

export interface ZmtpPublisherOptions {
  endpoint: string;
  /** First frame of every message; subscribers filter by prefix. */
  topic: Uint8Array;
  /** How many messages a subscriber can lag behind before it loses them. */
  highWaterMark: number;
  /** How many bytes the slowest subscriber can lag behind. */
  highWaterBytes: number;
}

/**
 * A PUB socket with a single topic. Sending never waits: unsent messages are buffered once for all subscribers. A
 * subscriber that lags too far behind loses all of its backlog at once and continues with the next message.
 */
export class ZmtpPublisher {
  readonly #options: ZmtpPublisherOptions;
  readonly #log = new MessageLog();
  /** Subscribers to the topic. */
  readonly #subscribers = new Set<Subscriber>();
  #listener: ZmtpListener | undefined;
  #isFlushing = false;

  /** @throws Error whose message says why it cannot be bound, as half a sentence; RangeError for an invalid endpoint */
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

  /** The endpoint with its actual address and port. */
  get endpoint(): string {
    return this.#listener?.endpoint ?? this.#options.endpoint;
  }

  /** The number of subscribers to the topic. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Sends a message: the topic and these frames, the last of which must not change afterwards. */
  send(frames: readonly Uint8Array[]): void {
    if (this.#subscribers.size === 0) return;
    this.#log.add([this.#options.topic, ...frames]);
    if (this.#log.isEntryDue) this.#flush();
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // At the end of the turn, so that the messages of an engine step leave in one write.
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  /** Unsent messages are lost. */
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

  /** Drops what all have read; while too much is left, the slowest subscriber loses its backlog. */
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
  /** It has subscribed to the topic, or unsubscribed. */
  onChange(subscriber: Subscriber): void;
  onProgress(): void;
}

/** A connection of a SUB socket. */
class Subscriber implements ZmtpPeer {
  readonly #connection: ZmtpConnection;
  readonly #topic: Uint8Array;
  readonly #log: MessageLog;
  readonly #handlers: SubscriberHandlers;
  /** Lengths of the subscriptions that match the topic; others are ignored. */
  readonly #prefixes = new Set<number>();
  /** Number of its next entry in the log. */
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

  /** Releases before 3.1 subscribe by message, and later ones may. */
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

  /** Sends as much of its backlog as it accepts. */
  write(): void {
    const connection = this.#connection;
    if (!this.isSubscribed || this.next === this.#log.end || connection.isFull) return;
    connection.gather(() => {
      while (this.next < this.#log.end && !connection.isFull) {
        for (const part of this.#log.at(this.next++).parts) connection.sendRaw(part);
      }
    });
  }

  /** Drops its backlog. */
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
    // It does not get messages from before it subscribed.
    this.#log.seal();
    this.skip();
    this.#handlers.onChange(this);
  }
}
