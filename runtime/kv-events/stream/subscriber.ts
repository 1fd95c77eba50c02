import type { RequestPlaneClient } from "../../request-plane/types.ts";
import {
  applyBatch,
  type KvEventCallbacks,
  type KvEventCounters,
  type KvEventPosition,
  type KvEventSubscription,
  resetReceiver,
  subscribeKvEvents,
} from "../subscriber.ts";
import { decodeMessage, type KvMessage, messageKind } from "../wire.ts";
import { KeptReader, MissingBatch } from "./kept-reader.ts";
import type { KvEventStream, StreamListener } from "./types.ts";

/** Interval of looking whether the worker is silent, in milliseconds. */
const CHECK_MS = 2_000;
/** Checks without a word from the worker after which its events are taken from it directly. */
const SILENT_CHECKS = 3;
/** Checks without progress after which a worker that has what is missing does not answer. */
const STALLED_CHECKS = 2;
/** Live messages to keep while older ones are read. */
const MOST_WAITING = 4_096;

export interface StreamSubscriptionOptions {
  readonly stream: KvEventStream;
  /** Where the worker publishes, as it says in discovery. */
  readonly subject: string;
  /** The worker's request plane, to ask for what the stream does not have. */
  readonly client: RequestPlaneClient;
  readonly callbacks: Omit<KvEventCallbacks, "onEnd">;
  /** What the stream keeps cannot be read now; the worker is asked instead. */
  readonly onUnreadable: (reason: unknown) => void;
}

/** A subscription to a stream. */
export interface StreamSubscription extends KvEventSubscription {
  /** Whether the events come from the stream, which has been read. */
  readonly isLive: boolean;
  /** Whether the worker is asked for the events, because the stream is unreachable or lacks some. */
  readonly isFromWorker: boolean;
}

/**
 * Subscribes to a worker's KV events in a stream, starting from the snapshot and the batches that it keeps. What is
 * missing is asked of the worker. While the stream is unreachable, or the worker cannot reach it, the events come from
 * the worker. If neither has a batch, `onCleared` runs: the receiver may know too little, but never stale data.
 * @throws Error for a subject of another stream
 */
export function subscribeToStream(options: StreamSubscriptionOptions): StreamSubscription {
  return new Subscription(options);
}

class Subscription implements StreamSubscription, StreamListener {
  readonly counters: KvEventCounters = { applied: 0, gaps: 0, snapshots: 0, resets: 0, malformed: 0 };
  readonly #options: StreamSubscriptionOptions;
  readonly #callbacks: Omit<KvEventCallbacks, "onEnd">;
  readonly #epoch: string;
  readonly #unsubscribe: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Where the events now come from. */
  #source: "kept" | "worker" | "live" = "kept";
  /** The next expected number. */
  #next = 0;
  /** How many batches the worker has sent; undefined until it says so again after an outage. */
  #head: number | undefined;
  #replay: AbortController | undefined;
  #worker: KvEventSubscription | undefined;
  /** Live messages that came while the kept ones were read. */
  #waiting: KvMessage[] = [];
  #silentChecks = 0;
  #stalledChecks = 0;
  #appliedAtCheck = 0;
  /** Whether the worker has not answered, so that the stream is the last resort. */
  #isLastResort = false;
  #isClosed = false;

  constructor(options: StreamSubscriptionOptions) {
    const { stream, subject, callbacks } = options;
    const epoch = stream.epochOf(subject);
    if (epoch === undefined) throw new Error(`The subject ${subject} is not of this stream.`);
    this.#options = options;
    this.#callbacks = callbacks;
    this.#epoch = epoch;
    this.#unsubscribe = stream.subscribe(subject, this);
    this.#timer = setInterval(() => this.#check(), CHECK_MS);
    if (stream.isConnected) void this.#readKept();
    else this.#askWorker(undefined);
  }

  get isLive(): boolean {
    return this.#source === "live";
  }

  get isFromWorker(): boolean {
    return this.#source === "worker";
  }

  get position(): KvEventPosition | undefined {
    if (this.#source === "worker") return this.#worker?.position;
    return this.#source === "live" ? { epoch: this.#epoch, next: this.#next } : undefined;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#unsubscribe();
    this.#replay?.abort();
    this.#worker?.close();
  }

  onMessage(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const message = decodeMessage(bytes);
    if (message?.kind !== messageKind.batch && message?.kind !== messageKind.omitted) {
      this.counters.malformed++;
      return;
    }
    this.#hear(message.sequence + 1);
    if (this.#source === "live") this.#live(message);
    else if (this.#source === "worker") this.#leaveWorker();
    else if (this.#waiting.push(message) > MOST_WAITING) this.#waiting.shift();
  }

  onHead(next: number): void {
    if (this.#isClosed) return;
    this.#hear(next);
    if (this.#source === "worker") this.#leaveWorker();
    else if (this.#source === "live" && next > this.#next) this.#onGap();
  }

  onState(isConnected: boolean): void {
    if (isConnected || this.#isClosed) return;
    this.#head = undefined;
    if (this.#source !== "worker") this.#askWorker(this.position);
  }

  #hear(next: number): void {
    this.#silentChecks = 0;
    this.#head = Math.max(this.#head ?? 0, next);
  }

  #live(message: KvMessage): void {
    if (message.sequence < this.#next) return;
    if (message.sequence > this.#next || message.kind === messageKind.omitted) this.#onGap();
    else this.#applyNext(message);
  }

  #onGap(): void {
    this.counters.gaps++;
    this.#askWorker(this.position);
  }

  /** Starts over from what the stream keeps. */
  async #readKept(): Promise<void> {
    const { stream, subject } = this.#options;
    this.#source = "kept";
    const abort = new AbortController();
    this.#replay = abort;
    this.#next = 0;
    this.#waiting = [];
    this.#callbacks.onCleared();
    const kept = new KeptReader(
      (message) => applyBatch(message, this.#callbacks, this.counters),
      () => {
        this.counters.snapshots++;
        this.#callbacks.onCleared();
      },
    );
    try {
      await stream.replay(subject, (message) => kept.read(message), abort.signal);
      if (abort.signal.aborted) return;
      this.#next = kept.end();
      this.#source = "live";
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error instanceof MissingBatch) this.counters.gaps++;
      else this.#options.onUnreadable(error);
      if (this.#isLastResort) this.#forget();
      else this.#askWorker(undefined);
      return;
    } finally {
      if (this.#replay === abort) this.#replay = undefined;
    }
    this.#goLive();
  }

  #goLive(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting)
      if (message.sequence === this.#next && message.kind === messageKind.batch) this.#applyNext(message);
    if (this.#head === undefined || this.#head <= this.#next) this.#isLastResort = false;
    else if (this.#isLastResort) this.#forget();
    else this.#onGap();
  }

  /** Neither has what is missing: knows nothing until the next check, which asks the worker again. */
  #forget(): void {
    this.#isLastResort = false;
    this.#source = "worker";
    resetReceiver(this.#callbacks, this.counters);
  }

  /** Takes the events from the worker until those of the stream follow on. */
  #askWorker(position: KvEventPosition | undefined): void {
    this.#source = "worker";
    this.#replay?.abort();
    this.#worker?.close();
    this.#stalledChecks = 0;
    this.#appliedAtCheck = this.counters.applied;
    const worker = subscribeKvEvents(
      this.#options.client,
      {
        onCleared: () => this.#callbacks.onCleared(),
        onPayload: (payload, sequence) => {
          this.#callbacks.onPayload(payload, sequence);
          this.counters.applied++;
          if (this.#worker === worker) this.#leaveWorker();
        },
        onFault: (error) => this.#callbacks.onFault?.(error),
        onEnd: () => {
          if (this.#worker === worker) this.#onWorkerEnd();
        },
      },
      position,
    );
    this.#worker = worker;
  }

  /** Goes back to the stream if the worker's answer has reached it. */
  #leaveWorker(): void {
    const position = this.#worker?.position;
    if (position === undefined || this.#head === undefined || !this.#options.stream.isConnected) return;
    // Another epoch is another publisher, whose subject discovery will tell.
    if (position.epoch !== this.#epoch || position.next < this.#head) return;
    this.#dropWorker();
    this.#next = position.next;
    this.#source = "live";
  }

  #dropWorker(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.close();
  }

  #onWorkerEnd(): void {
    this.#dropWorker();
    if (this.#isClosed || !this.#options.stream.isConnected) return;
    this.#isLastResort = true;
    void this.#readKept();
  }

  #check(): void {
    if (this.#source === "live") {
      if (++this.#silentChecks >= SILENT_CHECKS) {
        this.#head = undefined;
        this.#askWorker(this.position);
      }
      return;
    }
    if (this.#source !== "worker") return;
    if (this.#worker === undefined) {
      this.#askWorker(undefined);
      return;
    }
    const next = this.#worker.position?.next ?? -1;
    const isBehind = this.#head !== undefined && next < this.#head;
    const hasProgress = this.counters.applied > this.#appliedAtCheck;
    this.#appliedAtCheck = this.counters.applied;
    this.#stalledChecks = isBehind && !hasProgress ? this.#stalledChecks + 1 : 0;
    if (this.#stalledChecks >= STALLED_CHECKS) this.#onWorkerEnd();
  }

  #applyNext(message: KvMessage): void {
    this.#next = message.sequence + 1;
    applyBatch(message, this.#callbacks, this.counters);
  }
}
