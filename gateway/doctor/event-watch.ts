import { createMetrics, decodeKvEvents, type KvStoredEvent, type Logger } from "#runtime";
import type { EngineAdapter, EngineApi, KvEventSource } from "../engines/types.ts";
import type { Feed, OpenEngineFeed } from "../feeds/feed.ts";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import { ModelRouter } from "../routing/model-router.ts";
import { DEFAULT_ROUTING } from "../routing/options.ts";
import { exactPrompt } from "../routing/prompt.ts";
import type { RoutedWorker } from "../routing/workers.ts";

export interface EventWatchOptions {
  readonly sources: readonly KvEventSource[];
  readonly api: EngineApi;
  readonly adapter: EngineAdapter;
  readonly dataParallelSize: number;
  /** Tokens in a block, as a gateway would take it. */
  readonly blockSize: number;
  readonly routerModule: WebAssembly.Module;
  readonly openKvFeed: OpenEngineFeed;
  readonly log: Logger;
}

/** Stored events that are kept to be looked at; a busy engine sends them without end. */
const KEPT_EVENTS = 1_000;

/** Follows one engine's KV events as a gateway does: into a router, which then tells what it knows of a prompt. */
export class EventWatch {
  readonly #options: EventWatchOptions;
  #router: ModelRouter;
  readonly #worker: RoutedWorker;
  readonly #feed: Feed;
  /** What is wrong with events that could not be read. */
  readonly unreadable: string[] = [];
  /** Whether an event was of the size that the router has. */
  #isAgreed = false;
  #stored: KvStoredEvent[] = [];
  #storedCount = 0;
  #listeners: (() => void)[] = [];

  constructor(options: EventWatchOptions) {
    const { sources, api, adapter, dataParallelSize, blockSize, openKvFeed, log } = options;
    this.#options = options;
    const unknown = { tags: [], totalBlocks: 0, maxBatchedTokens: 1, maxSequences: 1 };
    this.#worker = {
      isReady: false,
      instance: {
        id: "doctor",
        name: "doctor",
        card: { ...unknown, role: "aggregated", blockSize, dataParallelSize },
      },
    };
    this.#router = this.#open(blockSize);
    this.#feed = openKvFeed(
      sources,
      api,
      adapter,
      {
        onPayload: (payload) => this.#onPayload(payload),
        onUnreadable: (what) => void this.unreadable.push(what),
        onForget: (rank) => this.#router.clearWorker(this.#worker, rank),
      },
      log,
    );
  }

  get isConnected(): boolean {
    return this.#feed.isConnected;
  }

  /** Batches that have come. */
  get batches(): number {
    return this.#feed.batches;
  }

  /** Tokens in a block, as the events say, or as they were said to be until one comes. */
  get blockSize(): number {
    return this.#router.blockSize;
  }

  /** Stored events since `markStart`. */
  get stored(): readonly KvStoredEvent[] {
    return this.#stored;
  }

  /** What comes from now on is of interest. */
  markStart(): void {
    this.#stored = [];
    this.#storedCount = 0;
  }

  /** Whole blocks of the prompt, from its start on, that the engine has said to hold. */
  knownBlocks(tokens: Uint32Array): number {
    return (
      (tokens.length - this.#router.uncachedTokens({ prompt: exactPrompt(tokens) })) / this.#router.blockSize
    );
  }

  /** Waits until it holds; false where it still does not when the time is over. */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (!condition()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await this.#next(Math.min(leftMs, LOOK_MS));
    }
    return true;
  }

  close(): void {
    this.#feed.close();
  }

  #open(blockSize: number): ModelRouter {
    const { routerModule, log } = this.#options;
    const metrics = createGatewayMetrics(createMetrics({ process: false })).forModel("doctor").routing;
    // What was only predicted proves nothing.
    const predictions = { eventTtlSeconds: 0, onlyTtlSeconds: 0 };
    const options = { ...DEFAULT_ROUTING, predictions };
    const router = new ModelRouter(routerModule, blockSize, options, metrics, log);
    router.onUnreadable = (_worker, what) => void this.unreadable.push(what);
    router.addWorker(this.#worker);
    return router;
  }

  #onPayload(payload: Uint8Array): void {
    const { events } = decodeKvEvents(payload);
    for (const event of events) {
      if (event.type === "stored" && this.#storedCount++ < KEPT_EVENTS) this.#stored.push(event);
    }
    const blockSize = this.#router.applyPayload(this.#worker, payload);
    if (blockSize === this.blockSize) this.#isAgreed = true;
    else if (blockSize !== undefined && !this.#isAgreed) {
      // As a gateway does.
      this.#router = this.#open(blockSize);
      this.#router.applyPayload(this.#worker, payload);
    }
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** The next batch, or the end of the time. */
  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#listeners.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** Connections come about without a word, so they are looked for. */
const LOOK_MS = 20;
