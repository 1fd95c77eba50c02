import type { ClientCall, PlaneError, RequestPlaneClient } from "../request-plane/types.ts";
import { KvEventError } from "./codec.ts";
import {
  decodeEventsHello,
  decodeMessage,
  encodeRequest,
  type KvMessage,
  kvEventsEndpoint,
  messageKind,
} from "./wire.ts";

export interface KvEventCallbacks {
  /** Forget everything about this publisher's cache; later batches start from empty. */
  onCleared(): void;
  /**
   * One batch, live or from a snapshot, in vLLM's wire format; each exactly once and in order. If it throws a
   * `KvEventError`, as `decodeKvEvents` does, the batch counts as malformed, and `onCleared` runs.
   */
  onPayload(payload: Uint8Array, sequence: number): void;
  /** Any other error that `onPayload` threw; `onCleared` then runs too, as the batch's content is lost. */
  onFault?(error: unknown): void;
  /** The subscription has ended; with `unknown_endpoint`, the worker publishes no events. */
  onEnd?(error: PlaneError | undefined): void;
}

/** A subscriber's position, from which the next subscription can resume. */
export interface KvEventPosition {
  epoch: string;
  /** The next expected sequence number. */
  next: number;
}

export interface KvEventCounters {
  /** Batches delivered, including those of snapshots. */
  applied: number;
  /** How often a batch was missing. */
  gaps: number;
  /** Snapshots begun. */
  snapshots: number;
  /** How often `onCleared` ran because of an unrecoverable gap, an unreadable batch, or another publisher. */
  resets: number;
  /** Unreadable messages, which were skipped. */
  malformed: number;
}

export interface KvEventSubscription {
  readonly counters: Readonly<KvEventCounters>;
  /** Undefined until the publisher answers, and during a snapshot. */
  readonly position: KvEventPosition | undefined;
  /** Ends the subscription; no callback runs after it. */
  close(): void;
}

/**
 * Subscribes to a publisher's KV events over `client`, from `position` if given; else `onCleared` runs first. A missing
 * batch is requested again; if it is gone, the publisher sends a snapshot or, failing that, `onCleared` runs. So the
 * receiver may know too little, but never stale data.
 */
export function subscribeKvEvents(
  client: RequestPlaneClient,
  callbacks: KvEventCallbacks,
  position?: KvEventPosition,
): KvEventSubscription {
  return new Subscription(client, callbacks, position);
}

class Subscription implements KvEventSubscription {
  readonly counters: KvEventCounters = { applied: 0, gaps: 0, snapshots: 0, resets: 0, malformed: 0 };
  readonly #client: RequestPlaneClient;
  readonly #callbacks: KvEventCallbacks;
  #epoch: string | undefined;
  #next: number;
  /** The batch that was requested again; if it is missing once more, it is gone. */
  #askedAgain = -1;
  #inSnapshot = false;
  /** The current call; messages of earlier ones are ignored. */
  #call: ClientCall | undefined;
  #closed = false;

  constructor(
    client: RequestPlaneClient,
    callbacks: KvEventCallbacks,
    position: KvEventPosition | undefined,
  ) {
    this.#client = client;
    this.#callbacks = callbacks;
    this.#epoch = position?.epoch;
    this.#next = position?.next ?? -1;
    this.#subscribe();
  }

  get position(): KvEventPosition | undefined {
    if (this.#epoch === undefined || this.#next < 0 || this.#inSnapshot) return undefined;
    return { epoch: this.#epoch, next: this.#next };
  }

  close(): void {
    this.#closed = true;
    this.#call?.cancel();
  }

  #subscribe(): void {
    const request = encodeRequest({ from: this.#next, epoch: this.#epoch });
    const call = this.#client.call(kvEventsEndpoint, request, {
      onMessage: (message) => {
        if (this.#isCurrent(call)) this.#message(message);
      },
      onEnd: () => {
        if (this.#isCurrent(call)) this.#callbacks.onEnd?.(undefined);
      },
      onError: (error) => {
        if (this.#isCurrent(call)) this.#callbacks.onEnd?.(error);
      },
    });
    this.#call = call;
  }

  #isCurrent(call: ClientCall): boolean {
    return !this.#closed && this.#call === call;
  }

  #message(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    switch (message?.kind) {
      case messageKind.hello:
        this.#hello(message);
        break;
      case messageKind.batch:
        this.#batch(message);
        break;
      case messageKind.snapshotBegin:
        this.#inSnapshot = true;
        this.counters.snapshots++;
        this.#callbacks.onCleared();
        break;
      case messageKind.snapshotBatch:
        applyBatch(message, this.#callbacks, this.counters);
        break;
      case messageKind.snapshotEnd:
        this.#inSnapshot = false;
        this.#next = message.sequence;
        break;
      default:
        this.counters.malformed++;
    }
  }

  #hello({ payload }: KvMessage): void {
    const epoch = decodeEventsHello(payload);
    if (epoch === undefined) this.counters.malformed++;
    if (epoch === this.#epoch) return;
    // A new publisher: its batches begin at 0, or it sends a snapshot. The receiver's state from an earlier
    // subscription is obsolete.
    if (this.#epoch === undefined) this.#callbacks.onCleared();
    else resetReceiver(this.#callbacks, this.counters);
    this.#epoch = epoch;
    this.#next = 0;
  }

  #batch(message: KvMessage): void {
    if (message.sequence < this.#next) return;
    if (message.sequence > this.#next) {
      this.counters.gaps++;
      if (this.#askedAgain !== this.#next) {
        this.#askedAgain = this.#next;
        this.#call?.cancel();
        this.#subscribe();
        return;
      }
      resetReceiver(this.#callbacks, this.counters);
    }
    this.#next = message.sequence + 1;
    applyBatch(message, this.#callbacks, this.counters);
  }
}

type BatchCallbacks = Pick<KvEventCallbacks, "onCleared" | "onPayload" | "onFault">;

/** Passes on a batch; the receiver starts over after one that it cannot use. */
export function applyBatch(
  { sequence, payload }: KvMessage,
  callbacks: BatchCallbacks,
  counters: KvEventCounters,
): void {
  try {
    callbacks.onPayload(payload, sequence);
    counters.applied++;
  } catch (error) {
    counters.malformed++;
    if (!(error instanceof KvEventError)) callbacks.onFault?.(error);
    resetReceiver(callbacks, counters);
  }
}

/** Has the receiver start over from empty, because events are lost. */
export function resetReceiver(callbacks: BatchCallbacks, counters: KvEventCounters): void {
  counters.resets++;
  callbacks.onCleared();
}
