/** For tests: a worker's cache as a set of block hashes, its publisher, and what a gateway has learnt of it. */
import { randomId } from "../../ids.ts";
import { connect } from "../../request-plane/client.ts";
import { serve } from "../../request-plane/server.ts";
import type { Handler, RequestPlaneClient } from "../../request-plane/types.ts";
import { decodeKvEvents } from "../codec.ts";
import { KvEventPublisher } from "../publisher.ts";
import type { KvEvent } from "../types.ts";
import { kvEventsEndpoint } from "../wire.ts";
import { type StreamSubscription, subscribeToStream } from "./subscriber.ts";
import type { KvEventStream } from "./types.ts";

const stored = (hashes: readonly bigint[]): KvEvent => ({
  type: "stored",
  blockHashes: BigUint64Array.from(hashes),
  parentHash: undefined,
  tokenIds: new Uint32Array(hashes.length),
  blockSize: 1,
});

/** A worker with a cache that changes at random. */
export class TestWorker implements AsyncDisposable {
  readonly cache = new Set<bigint>();
  readonly events: KvEventPublisher;
  readonly client: RequestPlaneClient;
  /** How often it was asked for events over the request plane. */
  asked = 0;
  #nextHash = 0n;
  readonly #close: () => Promise<void>;

  static async start(ringSize: number, answers: (handler: Handler) => Handler = (handler) => handler) {
    let worker: TestWorker | undefined;
    const events = new KvEventPublisher({
      ringSize,
      snapshot: () => Array.from(worker?.cache ?? [], (hash) => stored([hash])),
    });
    const handler = answers(events.handler);
    const server = await serve(`memory:${randomId()}`, {
      [kvEventsEndpoint](payload, call) {
        if (worker !== undefined) worker.asked++;
        return handler(payload, call);
      },
    });
    const client = await connect(server.address);
    worker = new TestWorker(events, client, async () => {
      client.close();
      await server.close();
    });
    return worker;
  }

  private constructor(events: KvEventPublisher, client: RequestPlaneClient, close: () => Promise<void>) {
    this.events = events;
    this.client = client;
    this.#close = close;
  }

  /** Publishes batches, each of which stores a block or removes one. */
  change(batches = 1): void {
    for (let batch = 0; batch < batches; batch++) {
      const oldest = this.cache.values().next().value;
      if (oldest !== undefined && this.cache.size >= 50) {
        this.cache.delete(oldest);
        this.events.publish([{ type: "removed", blockHashes: BigUint64Array.of(oldest) }]);
        continue;
      }
      this.cache.add(this.#nextHash);
      this.events.publish([stored([this.#nextHash++])]);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/** A gateway's knowledge of a worker. */
export class TestFollower implements Disposable {
  readonly known = new Set<bigint>();
  readonly subscription: StreamSubscription;

  constructor(stream: KvEventStream, subject: string, client: RequestPlaneClient) {
    this.subscription = subscribeToStream({
      stream,
      subject,
      client,
      onUnreadable: () => {},
      callbacks: {
        onCleared: () => this.known.clear(),
        onPayload: (payload) => {
          for (const event of decodeKvEvents(payload).events) {
            if (event.type === "stored") for (const hash of event.blockHashes) this.known.add(hash);
            // A block that it did not know would be a batch that it missed.
            if (event.type === "removed") for (const hash of event.blockHashes) this.known.delete(hash);
          }
        },
      },
    });
  }

  [Symbol.dispose](): void {
    this.subscription.close();
  }
}
