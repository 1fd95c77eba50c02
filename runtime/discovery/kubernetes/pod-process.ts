import { setTimeout as sleep } from "node:timers/promises";
import { decodeAnnouncement, instanceEndpoint } from "../../instance-endpoint.ts";
import { messageOf } from "../../message-of.ts";
import { connect } from "../../request-plane/client.ts";
import { type ClientTls, PlaneError, type RequestPlaneClient } from "../../request-plane/types.ts";
import type { JsonValue } from "../types.ts";

export interface PodProcessListener {
  /** The process says what it is. */
  onValue(value: { [key: string]: JsonValue }): void;
  /** The connection to it has ended. */
  onLost(): void;
  /** It does not answer, and is asked again. Called once for each reason in a row. */
  onSilent(reason: string): void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const CONNECT_MS = 5_000;
/** Timeout of the first answer, in milliseconds. */
const ANSWER_MS = 10_000;

/** Asks the worker or gateway in a pod what it is, again and again until it answers, and keeps listening until `close`. */
export class PodProcess {
  readonly address: string;
  readonly #kind: "worker" | "gateway";
  /** Resolves once it has answered, or has not for the first time. */
  readonly first: Promise<void>;
  readonly #tls: ClientTls | undefined;
  readonly #listener: PodProcessListener;
  readonly #first = Promise.withResolvers<void>();
  readonly #abort = new AbortController();
  #client: RequestPlaneClient | undefined;
  #hasAnswered = false;
  /** Why it did not answer last. */
  #silence: string | undefined;

  constructor(
    kind: "worker" | "gateway",
    address: string,
    tls: ClientTls | undefined,
    listener: PodProcessListener,
  ) {
    this.#kind = kind;
    this.address = address;
    this.first = this.#first.promise;
    this.#tls = tls;
    this.#listener = listener;
  }

  /** Whether it has answered, and the connection has not ended since. */
  get isConnected(): boolean {
    return this.#hasAnswered;
  }

  open(): void {
    void this.#run();
  }

  /** The listener is not called after this. */
  close(): void {
    this.#abort.abort();
    this.#client?.close();
    this.#first.resolve();
  }

  get #isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#isClosed) {
      try {
        await this.#listen();
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        this.#noteSilence(error);
      }
      this.#first.resolve();
      const { signal } = this.#abort;
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /** Resolves when the connection has ended. @throws Error if the process does not say what it is */
  async #listen(): Promise<void> {
    const client = await connect(this.address, { connectTimeoutMs: CONNECT_MS, tls: this.#tls });
    if (this.#isClosed) return client.close();
    this.#client = client;
    const answered = Promise.withResolvers<void>();
    const unfit = () => answered.reject(new Error("it does not say what it is"));
    const timer = setTimeout(
      () => answered.reject(new Error(`it has not answered within ${ANSWER_MS / 1000} s`)),
      ANSWER_MS,
    );
    client.call(instanceEndpoint, new Uint8Array(0), {
      onMessage: (bytes) => {
        const value = decodeAnnouncement(bytes);
        if (value === undefined) return unfit();
        if (this.#isClosed) return;
        this.#hasAnswered = true;
        this.#silence = undefined;
        this.#listener.onValue(value);
        answered.resolve();
      },
      // A process that is leaving ends the call, and later the connection.
      onEnd: unfit,
      onError: (error) => {
        answered.reject(error);
        client.close();
      },
    });
    try {
      await answered.promise;
      this.#first.resolve();
      await client.closed;
      if (!this.#isClosed) this.#listener.onLost();
    } finally {
      clearTimeout(timer);
      client.close();
      this.#client = undefined;
      this.#hasAnswered = false;
    }
  }

  #noteSilence(error: unknown): void {
    if (this.#isClosed) return;
    const isOther = error instanceof PlaneError && error.code === "unknown_endpoint";
    const reason = isOther
      ? `it is not a Stator ${this.#kind}, or one of an earlier version`
      : messageOf(error);
    if (reason !== this.#silence) this.#listener.onSilent(reason);
    this.#silence = reason;
  }
}
