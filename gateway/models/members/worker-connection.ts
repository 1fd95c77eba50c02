import {
  type ConnectOptions,
  type Instance,
  type KvEventStream,
  type Logger,
  messageOf,
  type RequestPlaneClient,
} from "#runtime";
import type { Feed, FeedReceiver } from "../../feeds/feed.ts";
import { openNatsFeed } from "../../feeds/nats-feed.ts";
import { openPlaneFeed } from "../../feeds/plane-feed.ts";
import { jittered } from "./engine-checks.ts";
import type { HealthOptions } from "./engine-spec.ts";
import { slowStartShare } from "./engine-spec.ts";
import { Eviction } from "./eviction.ts";
import type { WorkerMember } from "./member.ts";
import { RequestListeners } from "./member.ts";
import { RequestHealth } from "./request-health.ts";

/**
 * `down`: connected, but set aside for a while because too many requests have failed. `draining`: it is leaving, and
 * only completes its requests.
 */
export type WorkerState = "connecting" | "ready" | "down" | "draining" | "gone";

const NONE: readonly string[] = [];

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

export type WorkerHealthOptions = Pick<HealthOptions, "requests" | "slowStartMs">;

/** Connects to a worker's request plane. @throws Error if it cannot be reached */
export type ConnectWorker = (address: string, options: ConnectOptions) => Promise<RequestPlaneClient>;

/** Receives a worker's changes. */
export interface WorkerListener extends Pick<FeedReceiver, "onPayload" | "onForget"> {
  /** Its state has changed. */
  onState(): void;
  /** The connection to it is lost. */
  onLost(): void;
  /** It sends no KV events: `isPredicted` has changed. */
  onSilence(): void;
  /** Whether another worker can take its requests: the only one is never set aside. */
  hasOthers(): boolean;
}

/** Receives the outcomes of requests to workers, instead of the connection's own circuit breaker. */
export interface WorkerOutcomes {
  onSuccess(worker: string): void;
  onFailure(worker: string, reason: string): void;
}

export interface WorkerConnectionOptions {
  readonly log: Logger;
  readonly health: WorkerHealthOptions;
  readonly connect: ConnectWorker;
  readonly listener: WorkerListener;
  readonly outcomes?: WorkerOutcomes | undefined;
  /** Whether to subscribe to its KV events. */
  readonly followsEvents: boolean;
  /** Fingerprint of the key with which private KV events can be read. */
  readonly kvEventsKey?: string | undefined;
  /** Where workers may publish their KV events once for all gateways; others' come over the request plane. */
  readonly kvEventStream?: KvEventStream | undefined;
}

/**
 * The gateway's connection to one worker. While it is up, the router may choose the worker; when it is lost, the
 * worker is set aside at once, its blocks are forgotten, and connecting is retried as long as discovery has it.
 */
export class WorkerConnection implements WorkerMember {
  readonly kind = "worker";
  readonly instance: Instance;
  readonly hangs = new RequestListeners();
  readonly evictions = new RequestListeners();
  readonly #eviction = new Eviction(() => this.evictions.notify("it is leaving"));
  state: WorkerState = "connecting";
  client: RequestPlaneClient | undefined;
  /** Why it is not connected. */
  reason: string | undefined;
  isPredicted = false;
  /** Whether its KV events are private, under another key than the gateway's. */
  readonly hasOtherKey: boolean;
  readonly #log: Logger;
  readonly #listener: WorkerListener;
  readonly #health: WorkerHealthOptions;
  readonly #outcomes: WorkerOutcomes | undefined;
  readonly #followsEvents: boolean;
  readonly #kvEventStream: KvEventStream | undefined;
  readonly #requests: RequestHealth;
  /** When it became ready last, on the clock of `performance.now()`. */
  #readySince = 0;
  readonly #connectTo: ConnectWorker;
  #events: Feed | undefined;
  #hasUnreadable = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    instance: Instance,
    {
      log,
      health,
      connect,
      listener,
      outcomes,
      followsEvents,
      kvEventsKey,
      kvEventStream,
    }: WorkerConnectionOptions,
  ) {
    this.instance = instance;
    this.#log = log.child({ worker: instance.name });
    this.#health = health;
    this.#requests = new RequestHealth(health.requests);
    this.#connectTo = connect;
    this.#listener = listener;
    this.#outcomes = outcomes;
    this.#followsEvents = followsEvents;
    this.hasOtherKey = instance.kvEventsKey !== undefined && instance.kvEventsKey !== kvEventsKey;
    this.#kvEventStream = kvEventStream;
  }

  get aliases(): readonly string[] {
    return this.instance.card.aliases;
  }

  get adapters(): readonly string[] {
    return this.instance.card.loraAdapters ?? NONE;
  }

  get contextLength(): number {
    return this.instance.card.contextLength;
  }

  get created(): number {
    return this.instance.card.created;
  }

  get isReady(): boolean {
    return this.state === "ready";
  }

  /** The subject of its KV events, if they come from a stream. */
  get streamSubject(): string | undefined {
    const { kvEventsSubject: subject } = this.instance;
    if (subject === undefined || this.#kvEventStream?.epochOf(subject) === undefined) return undefined;
    return subject;
  }

  get feed(): Feed | undefined {
    return this.#events;
  }

  /** Its share of requests, 0 to 1: below 1 during slow start. */
  shareAt(now: number): number {
    return slowStartShare(now - this.#readySince, this.#health.slowStartMs);
  }

  reportSuccess(): void {
    if (this.#outcomes === undefined) this.#requests.onSuccess();
    else this.#outcomes.onSuccess(this.instance.name);
  }

  /** Ignores `isUnreachable`, because a lost connection is noticed anyway. */
  reportFailure(reason: string): void {
    if (this.#outcomes !== undefined) {
      this.#outcomes.onFailure(this.instance.name, reason);
      return;
    }
    const isBad = this.#requests.onFailure();
    if (this.state !== "ready" || !isBad || !this.#listener.hasOthers()) return;
    const pauseMs = jittered(this.#requests.trip());
    this.#log.warn("set a worker aside", { reason, pauseMs: Math.round(pauseMs) });
    this.#setState("down");
    this.#retry = setTimeout(() => this.#setState("ready"), pauseMs);
  }

  followEvents(): void {
    this.#events?.close();
    if (this.client !== undefined && !this.#isLeaving) this.#follow(this.client);
  }

  /** Nothing to do: its card has the block size. */
  noteBlockSize(): void {}

  /** Connects, and retries until `close`. */
  open(): void {
    void this.#connect(FIRST_RETRY_MS);
  }

  /**
   * The worker is leaving: it gets no new requests.
   * @param withinMs after how long its requests move to other workers, if they can
   */
  drain(withinMs: number): void {
    if (this.state === "gone") return;
    this.#eviction.start(withinMs);
    this.#stop("draining");
  }

  /** Removes the worker from the router. Requests in flight continue. */
  close(): void {
    if (this.state === "gone") return;
    this.#eviction.stop();
    this.#stop("gone");
  }

  #stop(state: "draining" | "gone"): void {
    clearTimeout(this.#retry);
    // A draining worker waits for its calls to end, and the event stream would never end.
    this.#events?.close();
    this.#setState(state);
  }

  get #isLeaving(): boolean {
    return this.state === "draining" || this.state === "gone";
  }

  async #connect(retryMs: number): Promise<void> {
    let client: RequestPlaneClient;
    try {
      client = await this.#connectTo(this.instance.address, { connectTimeoutMs: 5_000 });
    } catch (error) {
      if (this.#isLeaving) return;
      this.#noteUnreachable(messageOf(error));
      this.#retry = setTimeout(() => void this.#connect(Math.min(retryMs * 2, LAST_RETRY_MS)), retryMs);
      return;
    }
    if (this.#isLeaving) return client.close();
    this.client = client;
    this.reason = undefined;
    this.#follow(client);
    this.#setState("ready");
    this.#log.info("worker joined", { model: this.instance.card.name, address: this.instance.address });
    const reason = await client.closed;
    this.client = undefined;
    this.#onLost(reason);
    this.#listener.onLost();
  }

  #noteUnreachable(reason: string): void {
    // One that was reached before has most likely just ended.
    const level = this.#readySince === 0 ? "warn" : "debug";
    if (this.reason !== reason) this.#log[level]("a worker cannot be reached; retrying", { reason });
    this.reason = reason;
  }

  #onLost(reason: Error | undefined): void {
    if (this.#isLeaving) return;
    clearTimeout(this.#retry);
    this.#setState("connecting");
    // A feed from a stream outlives the connection.
    this.#events?.close();
    this.#listener.onForget(undefined);
    this.#log.warn("lost the connection to a worker", { reason: reason?.message ?? "closed" });
    this.#retry = setTimeout(() => void this.#connect(FIRST_RETRY_MS), FIRST_RETRY_MS);
  }

  #follow(client: RequestPlaneClient): void {
    if (!this.#followsEvents) return;
    if (this.hasOtherKey) {
      this.#log.warn("a worker's KV events are private, under a key that this gateway does not have", {
        key: this.instance.kvEventsKey,
        fix: "give both the same --kv-events-key; until then, what the worker holds is only predicted",
      });
      this.#noteSilence();
      return;
    }
    const receiver: FeedReceiver = {
      onPayload: (payload) => this.#listener.onPayload(payload),
      onForget: (rank) => this.#listener.onForget(rank),
      onUnreadable: (what) => this.noteUnreadable(what),
    };
    const stream = this.#kvEventStream;
    const subject = this.streamSubject;
    this.#events =
      stream !== undefined && subject !== undefined
        ? openNatsFeed({ stream, subject, client }, receiver, this.#log)
        : openPlaneFeed(client, receiver, this.#log, () => this.#noteSilence());
  }

  #noteSilence(): void {
    this.isPredicted = true;
    this.#listener.onSilence();
  }

  /** Notes KV events that cannot be read; the first problem is logged. */
  noteUnreadable(what: string): void {
    if (!this.#hasUnreadable) this.#log.warn("some of a worker's KV events cannot be read", { reason: what });
    this.#hasUnreadable = true;
  }

  #setState(state: WorkerState): void {
    this.state = state;
    if (state === "ready") this.#readySince = performance.now();
    this.#listener.onState();
  }
}
