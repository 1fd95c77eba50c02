import { connectZmtp, type ZmtpConnection } from "./connection.ts";
import { subscription } from "./framing.ts";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

export interface SubscriptionHandlers {
  /** Connected, for the first time or again. */
  onConnected(): void;
  onDisconnected(): void;
  onMessage(frames: Buffer[]): void;
}

/** A subscription to a PUB socket that reconnects as needed. */
export class ZmtpSubscription {
  readonly #endpoint: string;
  readonly #topic: string;
  readonly #handlers: SubscriptionHandlers;
  #connection: ZmtpConnection | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = FIRST_RETRY_MS;
  #isClosed = false;

  constructor(endpoint: string, topic: string, handlers: SubscriptionHandlers) {
    this.#endpoint = endpoint;
    this.#topic = topic;
    this.#handlers = handlers;
    this.#connect();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Stops reading; the publisher drops what it cannot buffer. */
  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  /** No callback runs afterwards. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#connection?.close();
  }

  #connect(): void {
    let wasReady = false;
    const connection = connectZmtp(this.#endpoint, "SUB", {
      onReady: () => {
        wasReady = true;
        this.#retryMs = FIRST_RETRY_MS;
        connection.sendRaw(subscription(this.#topic));
        this.#handlers.onConnected();
      },
      onMessage: (frames) => this.#handlers.onMessage(frames),
      onClose: () => {
        if (wasReady) this.#handlers.onDisconnected();
        this.#retry = setTimeout(() => this.#connect(), this.#retryMs);
        this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
      },
    });
    this.#connection = connection;
  }
}
