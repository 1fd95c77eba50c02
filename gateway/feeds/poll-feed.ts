import type { Logger } from "#runtime";
import type { EngineAdapter, EngineApi } from "../engines/types.ts";
import { deliver, type Feed, type FeedReceiver } from "./feed.ts";

/** Time between polls, in milliseconds. */
const POLL_MS = 50;
const RETRY_MS = 1_000;

/** Polls an engine for its KV events. */
export class PollFeed implements Feed {
  readonly isConnected = false;
  batches = 0;
  readonly #api: EngineApi;
  readonly #adapter: EngineAdapter;
  readonly #receiver: FeedReceiver;
  readonly #log: Logger;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(api: EngineApi, adapter: EngineAdapter, receiver: FeedReceiver, log: Logger) {
    this.#api = api;
    this.#adapter = adapter;
    this.#receiver = receiver;
    this.#log = log;
    void this.#poll();
  }

  /** Unknown, because polling takes events away from other gateways. */
  positionOf(): undefined {}

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #poll(): Promise<void> {
    let waitMs = POLL_MS;
    try {
      await this.#adapter.pollKvEvents?.(
        this.#api,
        (payload) => {
          if (this.#isClosed) return;
          deliver(this.#receiver, payload);
          this.batches++;
        },
        (what) => this.#receiver.onUnreadable(what),
      );
    } catch (error) {
      // Events in a lost answer cannot be read again.
      if (!this.#isClosed) this.#receiver.onForget(undefined);
      waitMs = RETRY_MS;
      this.#log.debug("cannot poll the engine's KV events", { reason: String(error) });
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#poll(), waitMs);
  }
}
