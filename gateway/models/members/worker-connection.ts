import {
  connect,
  type Instance,
  KvEventError,
  type KvEventSubscription,
  type Logger,
  type RequestPlaneClient,
  subscribeKvEvents,
} from "#runtime";
import type { ModelRouter } from "../../routing/model-router.ts";
import { jittered } from "./engine-checks.ts";
import type { HealthOptions } from "./engine-spec.ts";
import { HangListeners } from "./hang-listeners.ts";
import type { Member } from "./member.ts";
import { RequestHealth } from "./request-health.ts";
import { slowStartShare } from "./slow-start-share.ts";

/** `down`: connected, but set aside for a while, as too many requests have failed there. */
export type WorkerState = "connecting" | "ready" | "down" | "gone";

/** What people are told of a worker: `shut_out` where it is connected, but --index-workers has no place for it. */
export type WorkerStatus = WorkerState | "shut_out";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

export type WorkerHealthOptions = Pick<HealthOptions, "requests" | "slowStartMs">;

/** Hears what becomes of a worker. */
export interface WorkerListener {
  /** Whether requests can go to it may have changed. */
  onChange(): void;
  /** Whether another one can answer its requests: the only one is not set aside. */
  hasOthers(): boolean;
}

export interface WorkerConnectionOptions {
  readonly log: Logger;
  readonly health: WorkerHealthOptions;
  readonly listener: WorkerListener;
}

/**
 * The gateway's line to one worker. While it is up, the router may choose the worker; when it breaks, the
 * worker is set aside at once, its blocks are forgotten, and the line is tried again for as long as discovery
 * has the worker.
 */
export class WorkerConnection implements Member {
  readonly instance: Instance;
  readonly hangs = new HangListeners();
  state: WorkerState = "connecting";
  client: RequestPlaneClient | undefined;
  readonly #router: ModelRouter<WorkerConnection>;
  readonly #log: Logger;
  readonly #listener: WorkerListener;
  readonly #health: WorkerHealthOptions;
  readonly #requests: RequestHealth;
  /** When it became ready last, on the clock of `performance.now()`. */
  #readySince = 0;
  #events: KvEventSubscription | undefined;
  #hasUnreadable = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    instance: Instance,
    router: ModelRouter<WorkerConnection>,
    { log, health, listener }: WorkerConnectionOptions,
  ) {
    this.instance = instance;
    this.#router = router;
    this.#log = log.child({ worker: instance.name });
    this.#health = health;
    this.#requests = new RequestHealth(health.requests);
    this.#listener = listener;
    router.addWorker(this);
  }

  get status(): WorkerStatus {
    return this.state === "ready" && this.isShutOut ? "shut_out" : this.state;
  }

  get isShutOut(): boolean {
    return this.#router.isShutOut(this);
  }

  get isReady(): boolean {
    return this.state === "ready";
  }

  /** What share of its requests it gets, 0 to 1: less than all for a while after it has come. */
  shareAt(now: number): number {
    return slowStartShare(now - this.#readySince, this.#health.slowStartMs);
  }

  reportSuccess(): void {
    this.#requests.onSuccess();
  }

  /** A lost connection is noticed anyway. */
  reportFailure(reason: string): void {
    const isBad = this.#requests.onFailure();
    if (this.state !== "ready" || !isBad || !this.#listener.hasOthers()) return;
    const pauseMs = jittered(this.#requests.trip());
    this.#log.warn("set a worker aside", { reason, pauseMs: Math.round(pauseMs) });
    this.#setState("down");
    this.#retry = setTimeout(() => this.#setState("ready"), pauseMs);
  }

  /** Whether requests can go to it. */
  get canServe(): boolean {
    return this.status === "ready";
  }

  /** The router has a place for it now, and knows nothing of its cache: its KV events are asked for from the start. */
  onAdmitted(): void {
    this.#events?.close();
    if (this.client !== undefined) this.#follow(this.client);
    this.#listener.onChange();
  }

  /** Connects, and goes on trying until `close`. */
  open(): void {
    void this.#connect(FIRST_RETRY_MS);
  }

  /** Takes the worker out of the router. Requests that it is answering go on to their end. */
  close(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    clearTimeout(this.#retry);
    // A worker that drains waits for its calls to end, and this one would not.
    this.#events?.close();
    this.#router.removeWorker(this);
    this.#listener.onChange();
  }

  async #connect(retryMs: number): Promise<void> {
    let client: RequestPlaneClient;
    try {
      client = await connect(this.instance.address, { connectTimeoutMs: 5_000 });
    } catch (error) {
      if (this.state === "gone") return;
      this.#log.debug("worker cannot be reached", { reason: String(error) });
      this.#retry = setTimeout(() => void this.#connect(Math.min(retryMs * 2, LAST_RETRY_MS)), retryMs);
      return;
    }
    if (this.state === "gone") return client.close();
    this.client = client;
    this.#follow(client);
    this.#setState("ready");
    this.#log.info("worker joined", { model: this.instance.card.name, address: this.instance.address });
    const reason = await client.closed;
    this.client = undefined;
    this.#onLost(reason);
  }

  #onLost(reason: Error | undefined): void {
    if (this.state === "gone") return;
    clearTimeout(this.#retry);
    this.#setState("connecting");
    this.#router.clearWorker(this);
    this.#log.warn("lost the connection to a worker", { reason: reason?.message ?? "closed" });
    this.#retry = setTimeout(() => void this.#connect(FIRST_RETRY_MS), FIRST_RETRY_MS);
  }

  #follow(client: RequestPlaneClient): void {
    this.#events = subscribeKvEvents(client, {
      onCleared: () => this.#router.clearWorker(this),
      onPayload: (payload) => this.#applyPayload(payload),
      onFault: (error) => this.#log.error("cannot use the worker's KV events", { error }),
      onEnd: (error) => {
        if (error?.code === "unknown_endpoint") this.#router.predictOnly(this);
      },
    });
  }

  #applyPayload(payload: Uint8Array): void {
    try {
      this.#router.applyPayload(this, payload);
    } catch (error) {
      if (error instanceof KvEventError) this.noteUnreadable(error.what);
      throw error;
    }
  }

  /** Something in its KV events cannot be read: the first time the log says what. */
  noteUnreadable(what: string): void {
    if (!this.#hasUnreadable) this.#log.warn("not all of a worker's KV events can be read", { reason: what });
    this.#hasUnreadable = true;
  }

  #setState(state: WorkerState): void {
    this.state = state;
    if (state === "ready") this.#readySince = performance.now();
    this.#router.updateWorker(this);
    this.#listener.onChange();
  }
}
