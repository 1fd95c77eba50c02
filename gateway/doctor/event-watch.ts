import { createMetrics, decodeKvEvents, type KvStoredEvent, type Logger } from "#runtime";
import type { EngineAdapter, EngineApi, KvEventOrigin } from "../engines/types.ts";
import type { Feed, OpenEngineFeed } from "../feeds/feed.ts";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import { ModelRouter } from "../routing/model-router.ts";
import { DEFAULT_ROUTING } from "../routing/options.ts";
import type { Prompt } from "../routing/prompt.ts";
import type { RoutedWorker } from "../routing/workers.ts";

export interface EventWatchOptions {
  readonly sources: readonly KvEventOrigin[];
  readonly api: EngineApi;
  readonly adapter: EngineAdapter;
  readonly dataParallelSize: number;
  /** Tokens per block, as a gateway would assume. */
  readonly blockSize: number;
  readonly routerModule: WebAssembly.Module;
  readonly openKvFeed: OpenEngineFeed;
  readonly log: Logger;
}

/** Most stored events that are kept for checks; a busy engine sends them continuously. */
const MAX_EVENTS = 1_000;

/** Feeds one engine's KV events to a router, as a gateway does, and asks the router what it knows about a prompt. */
export class EventWatch {
  readonly #options: EventWatchOptions;
  #router: ModelRouter;
  readonly #worker: RoutedWorker;
  readonly #feed: Feed;
  /** The problems with events that could not be read. */
  readonly unreadable: string[] = [];
  /** Whether an event has confirmed the router's block size. */
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

  /** Batches received. */
  get batches(): number {
    return this.#feed.batches;
  }

  /** Tokens per block: from the events, or as assumed until one arrives. */
  get blockSize(): number {
    return this.#router.blockSize;
  }

  /** Stored events since `markStart`. */
  get stored(): readonly KvStoredEvent[] {
    return this.#stored;
  }

  /** Keeps only the events from now on. */
  markStart(): void {
    this.#stored = [];
    this.#storedCount = 0;
  }

  /** How many whole blocks at the start of the prompt the engine holds according to its events. */
  knownBlocks(prompt: Prompt): number {
    return (prompt.tokens.length - this.#router.uncachedTokens({ prompt })) / this.#router.blockSize;
  }

  /** Waits until the condition holds. @returns false on a timeout */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (!condition()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await this.#next(Math.min(leftMs, POLL_MS));
    }
    return true;
  }

  close(): void {
    this.#feed.close();
  }

  #open(blockSize: number): ModelRouter {
    const { routerModule, log } = this.#options;
    const metrics = createGatewayMetrics(createMetrics({ process: false })).forModel("doctor").routing;
    // Predictions prove nothing.
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
      if (event.type === "stored" && this.#storedCount++ < MAX_EVENTS) this.#stored.push(event);
    }
    const blockSize = this.#router.applyPayload(this.#worker, payload);
    if (blockSize === this.blockSize) this.#isAgreed = true;
    else if (blockSize !== undefined && !this.#isAgreed) {
      // Starts over with the events' size, as a gateway does.
      this.#router = this.#open(blockSize);
      this.#router.applyPayload(this.#worker, payload);
    }
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** Resolves on the next batch or after `ms`. */
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

/** Connecting raises no event, so conditions are polled. */
const POLL_MS = 20;
