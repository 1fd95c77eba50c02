import type { ClientCall, PlaneError, RequestPlaneClient } from "../request-plane/types.ts";
import { KvEventError } from "./codec.ts";
import {
  decodeEpoch,
  decodeMessage,
  encodeRequest,
  type KvMessage,
  kvEventsEndpoint,
  messageKind,
} from "./wire.ts";

export interface KvEventCallbacks {
  /** Forget everything that is known of this publisher's cache: what follows starts from nothing. */
  onCleared(): void;
  /**
   * One batch, live or of a snapshot, in vLLM's wire format; each exactly once and in order. A `KvEventError` that it
   * throws, as `decodeKvEvents` does, says that the bytes are no batch: they are counted, and `onCleared` runs.
   */
  onPayload(payload: Uint8Array, sequence: number): void;
  /** Any other error that `onPayload` threw; `onCleared` runs then too, for what the batch said is not known. */
  onFault?(error: unknown): void;
  /** The subscription is over and will not bring more: with `unknown_endpoint`, the worker publishes no events. */
  onEnd?(error: PlaneError | undefined): void;
}

/** How far a subscriber has come: hand it to the next subscription to go on from there. */
export interface KvEventPosition {
  epoch: string;
  /** The next sequence number that is wanted. */
  next: number;
}

export interface KvEventCounters {
  /** Batches handed on, those of snapshots too. */
  applied: number;
  /** Times that a batch was missing. */
  gaps: number;
  /** Snapshots begun. */
  snapshots: number;
  /** Times that `onCleared` ran because a gap could not be closed, a batch could not be read, or the publisher was another one. */
  resets: number;
  /** Messages that could not be read, and were passed over. */
  malformed: number;
}

export interface KvEventSubscription {
  readonly counters: Readonly<KvEventCounters>;
  /** Undefined while the publisher has not answered, or in the middle of a snapshot. */
  readonly position: KvEventPosition | undefined;
  /** Ends the subscription; no callback runs after it. */
  close(): void;
}

/**
 * Subscribes to a publisher's KV events over `client`, from `position` on where it is given; else `onCleared` runs
 * first. A missing batch is
 * asked for again; where it cannot be had, the publisher sends a snapshot or, failing that, `onCleared` runs. So
 * the receiver's picture is at worst too small, never stale.
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
  /** The batch that was asked for again: when it is missing once more, it cannot be had. */
  #askedAgain = -1;
  #inSnapshot = false;
  /** The call in force; what an earlier one still brings is ignored. */
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
        this.#apply(message);
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
    const epoch = decodeEpoch(payload);
    if (epoch === undefined) this.counters.malformed++;
    if (epoch === this.#epoch) return;
    // Another publisher, or the first: its batches begin at 0, or it sends a snapshot. What the receiver may
    // still hold of an earlier subscription has no place any more.
    if (this.#epoch === undefined) this.#callbacks.onCleared();
    else this.#reset();
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
      this.#reset();
    }
    this.#next = message.sequence + 1;
    this.#apply(message);
  }

  #apply({ sequence, payload }: KvMessage): void {
    try {
      this.#callbacks.onPayload(payload, sequence);
      this.counters.applied++;
    } catch (error) {
      this.counters.malformed++;
      if (!(error instanceof KvEventError)) this.#callbacks.onFault?.(error);
      this.#reset();
    }
  }

  #reset(): void {
    this.counters.resets++;
    this.#callbacks.onCleared();
  }
}
