import type { Logger } from "#runtime";
import type { EngineAdapter, EngineApi } from "../engines/types.ts";
import { deliver, type Feed, type FeedReceiver } from "./feed.ts";

/** Milliseconds between two rounds of asking an engine for its events. */
const POLL_MS = 50;
const POLL_AGAIN_AFTER_ERROR_MS = 1_000;

/** The KV events of an engine that is asked for them again and again. */
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
    void this.#round();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #round(): Promise<void> {
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
      // Events that it has handed out meanwhile are lost for good.
      if (!this.#isClosed) this.#receiver.onForget(undefined);
      waitMs = POLL_AGAIN_AFTER_ERROR_MS;
      this.#log.debug("cannot ask for the engine's KV events", { reason: String(error) });
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#round(), waitMs);
  }
}
