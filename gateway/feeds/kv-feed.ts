import { KvEventError, type Logger, ZmqKvEventSubscriber } from "#runtime";
import type { EngineAdapter, EngineApi, KvEventSource } from "../engines/types.ts";

/** Who is told what an engine's cache holds. */
export interface KvFeedReceiver {
  /** A batch in vLLM's wire format. @throws KvEventError where it cannot be read */
  onPayload(payload: Uint8Array): void;
  /** Something of what it tells cannot be read. @param what is wrong with it, as half a sentence */
  onUnreadable(what: string): void;
  /** What is known of this rank's cache is to be forgotten; undefined: of all ranks. */
  onForget(rank: number | undefined): void;
}

/** Begins to follow an engine's KV events. */
export type OpenKvFeed = (...given: ConstructorParameters<typeof KvFeed>) => KvFeed;

export const openKvFeed: OpenKvFeed = (...given) => new KvFeed(...given);

/** Milliseconds between two rounds of asking an engine for its events. */
const POLL_MS = 50;
const POLL_AGAIN_AFTER_ERROR_MS = 1_000;

/** The KV events of one engine, from all of its ranks. */
export class KvFeed {
  readonly #subscribers: ZmqKvEventSubscriber[] = [];
  readonly #log: Logger;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(
    sources: readonly KvEventSource[],
    api: EngineApi,
    adapter: EngineAdapter,
    receiver: KvFeedReceiver,
    log: Logger,
  ) {
    this.#log = log;
    for (const source of sources) {
      if (source.kind === "zmq") this.#subscribe(source, receiver);
      else this.#poll(api, adapter, receiver);
    }
  }

  /** Whether every rank's publisher is connected; false where there is none. */
  get isConnected(): boolean {
    return this.#subscribers.length > 0 && this.#subscribers.every(({ isConnected }) => isConnected);
  }

  /** Batches that have come so far. */
  get batches(): number {
    return this.#subscribers.reduce((sum, { counters }) => sum + counters.applied, 0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const subscriber of this.#subscribers) subscriber.close();
  }

  #subscribe(source: KvEventSource & { kind: "zmq" }, receiver: KvFeedReceiver): void {
    const { endpoint, replayEndpoint, topic, rank } = source;
    try {
      const subscriber = new ZmqKvEventSubscriber({
        endpoint,
        replayEndpoint,
        topic,
        onPayload: (payload) => {
          try {
            receiver.onPayload(payload);
          } catch (error) {
            if (error instanceof KvEventError) receiver.onUnreadable(error.what);
            throw error;
          }
        },
        onMalformed: (what) => receiver.onUnreadable(what),
        onForget: () => receiver.onForget(rank),
        onFault: (error) => this.#log.error("cannot use the engine's KV events", { endpoint, error }),
      });
      this.#subscribers.push(subscriber);
    } catch (error) {
      this.#log.error("cannot follow the engine's KV events", { endpoint, reason: String(error) });
    }
  }

  #poll(api: EngineApi, adapter: EngineAdapter, receiver: KvFeedReceiver): void {
    const round = async () => {
      let waitMs = POLL_MS;
      try {
        await adapter.pollKvEvents?.(
          api,
          (payload) => {
            if (!this.#isClosed) receiver.onPayload(payload);
          },
          (what) => receiver.onUnreadable(what),
        );
      } catch (error) {
        // Events that it has handed out meanwhile are lost for good.
        if (!this.#isClosed) receiver.onForget(undefined);
        waitMs = POLL_AGAIN_AFTER_ERROR_MS;
        this.#log.debug("cannot ask for the engine's KV events", { reason: String(error) });
      }
      if (!this.#isClosed) this.#timer = setTimeout(round, waitMs);
    };
    void round();
  }
}
