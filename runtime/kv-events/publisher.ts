import { randomId } from "../ids.ts";
import type { Handler, ServerCall } from "../request-plane/types.ts";
import { encodeKvEvents } from "./codec.ts";
import type { KvEvent } from "./types.ts";
import { decodeRequest, encodeEventsHello, encodeMessage, encodeParts, messageKind } from "./wire.ts";

export interface KvEventPublisherOptions {
  /**
   * Returns the blocks now in a rank's cache as stored events, parents before children. Called for every rank when a
   * subscriber cannot catch up from the ring. Without it, such a subscriber starts empty.
   */
  snapshot?: (dataParallelRank: number) => KvEvent[];
  /** How many batches to keep for subscribers that fall behind or reconnect. Default 4,096. */
  ringSize?: number;
  /** Ranks that publish here. Default 1. */
  dataParallelSize?: number;
}

/** What caches held at one moment. */
export interface KvSnapshot {
  /** The number of the first batch after it. */
  readonly next: number;
  /** The messages, from `snapshotBegin` to `snapshotEnd`. */
  readonly messages: Iterable<Uint8Array>;
}

/**
 * Publishes an engine's KV events to any number of subscribers over the request plane. The ring of past batches is the
 * only queue: a subscriber is a position in it, and gets a snapshot if it falls out.
 *
 * @example
 * const publisher = new KvEventPublisher({ snapshot: () => cache.blocks() });
 * const server = await serve(address, { [kvEventsEndpoint]: publisher.handler });
 * publisher.publish([{ type: "cleared" }]);
 */
export class KvEventPublisher {
  /** Random 64-bit id of this publisher: after a restart, sequence numbers start over under another one. */
  readonly epoch = randomId();
  /** Serves the endpoint `kv_events`. */
  readonly handler: Handler = (payload, call) => this.#serve(decodeRequest(payload), call);
  readonly #options: KvEventPublisherOptions;
  readonly #ring: Uint8Array[] = [];
  readonly #ringSize: number;
  readonly #listeners = new Set<() => void>();
  #next = 0;
  #subscribers = 0;
  #snapshots = 0;
  /** Resolves at the next batch, or when a subscriber leaves; undefined unless someone waits. */
  #wake: PromiseWithResolvers<void> | undefined;

  constructor(options: KvEventPublisherOptions = {}) {
    this.#options = options;
    this.#ringSize = options.ringSize ?? 4_096;
  }

  /** Batches published so far, which is the next one's sequence number. */
  get published(): number {
    return this.#next;
  }

  get subscribers(): number {
    return this.#subscribers;
  }

  /** Snapshots sent so far; more than there are subscribers means that some cannot keep up. */
  get snapshots(): number {
    return this.#snapshots;
  }

  /** How many batches are kept. */
  get ringSize(): number {
    return this.#ringSize;
  }

  /** The number of the oldest batch that is still kept. */
  get oldest(): number {
    return Math.max(0, this.#next - this.#ringSize);
  }

  /** The message of a batch, which never changes; undefined unless it is kept. */
  message(sequence: number): Uint8Array | undefined {
    if (sequence < this.oldest || sequence >= this.#next) return undefined;
    return this.#ring[sequence % this.#ringSize];
  }

  /** Calls `listener` after each batch. @returns stops that */
  onPublished(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * The caches of all ranks as they are now, as the messages of a snapshot; each is encoded when it is asked for.
   * @param mostParts the most parts; a larger cache has more blocks in each
   */
  snapshot(mostParts = Number.POSITIVE_INFINITY): KvSnapshot {
    // In one turn, so that batches published during the snapshot come after it.
    const { snapshot, dataParallelSize = 1 } = this.#options;
    const ranks = Array.from({ length: dataParallelSize }, (_, rank) => snapshot?.(rank) ?? []);
    this.#snapshots++;
    const events = ranks.reduce((sum, blocks) => sum + blocks.length, 0);
    const size = Math.max(snapshotEvents, Math.ceil(events / Math.max(1, mostParts - dataParallelSize)));
    return { next: this.#next, messages: encodeSnapshot(ranks, this.#next, size) };
  }

  /** Publishes one batch of a rank's events, in order; an empty batch is not sent. */
  publish(events: KvEvent[], dataParallelRank = 0): void {
    if (events.length === 0) return;
    this.#ring[this.#next % this.#ringSize] = encodeMessage(
      messageKind.batch,
      this.#next,
      encodeBatch(events, dataParallelRank),
    );
    this.#next++;
    this.#wakeAll();
    for (const listener of this.#listeners) listener();
  }

  async #serve(request: { from: number; epoch?: string | undefined }, call: ServerCall): Promise<void> {
    call.signal.addEventListener("abort", () => this.#wakeAll());
    this.#subscribers++;
    try {
      call.send(encodeMessage(messageKind.hello, this.#next, encodeEventsHello(this.epoch)));
      await this.#pump(call, request.epoch === this.epoch ? request.from : -1);
    } finally {
      this.#subscribers--;
    }
  }

  async #pump(call: ServerCall, from: number): Promise<void> {
    // A new subscriber needs no snapshot while the ring still holds every batch.
    let next = from === -1 ? 0 : from;
    while (!call.signal.aborted) {
      if (next < this.#next - this.#ringSize || next > this.#next) {
        next = await this.#sendSnapshot(call);
      } else if (next < this.#next) {
        const message = this.#ring[next % this.#ringSize] as Uint8Array;
        next++;
        if (!call.send(message)) await call.writable();
      } else {
        this.#wake ??= Promise.withResolvers();
        await this.#wake.promise;
      }
    }
  }

  /** Returns the number of the first live batch after the snapshot. */
  async #sendSnapshot(call: ServerCall): Promise<number> {
    const { next, messages } = this.snapshot();
    for (const message of messages) {
      if (call.signal.aborted) break;
      if (!call.send(message)) await call.writable();
    }
    return next;
  }

  #wakeAll(): void {
    this.#wake?.resolve();
    this.#wake = undefined;
  }
}

function* encodeSnapshot(ranks: readonly KvEvent[][], next: number, size: number): Generator<Uint8Array> {
  let parts = 0;
  yield encodeMessage(messageKind.snapshotBegin, next);
  for (const [rank, blocks] of ranks.entries()) {
    for (let at = 0; at < blocks.length; at += size) {
      parts++;
      yield encodeMessage(messageKind.snapshotBatch, next, encodeBatch(blocks.slice(at, at + size), rank));
    }
  }
  yield encodeMessage(messageKind.snapshotEnd, next, encodeParts(parts));
}

function encodeBatch(events: KvEvent[], dataParallelRank: number): Uint8Array {
  return encodeKvEvents({ timestamp: Date.now() / 1000, events, dataParallelRank });
}

/** Events per batch of a snapshot: enough for speed, few enough not to block the event loop. */
const snapshotEvents = 64;
