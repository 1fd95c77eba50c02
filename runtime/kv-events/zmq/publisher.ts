import type { Publisher, Router } from "zeromq";
import { decodeSequence, emptyFrame, encodeSequence, endMarker } from "./frames.ts";
import { loadZmq } from "./load.ts";

export interface ZmqPublisherOptions {
  /** Where subscribers connect: `tcp://HOST:PORT`; port 0 takes a free one. */
  endpoint: string;
  /** Goes before every message; subscribers choose by it. Default: empty. */
  topic?: string | undefined;
  /** Where lost batches can be asked for again. Without it they cannot. */
  replayEndpoint?: string | undefined;
  /** Batches that are kept for that. Default 10,000, as vLLM. */
  replayBatches?: number | undefined;
}

/**
 * Publishes one rank's KV events over ZeroMQ as vLLM does, so that what follows a vLLM follows it: numbered
 * messages from a PUB socket, past ones from a ROUTER socket. See `frames.ts`.
 *
 * @example
 * const publisher = await ZmqKvEventPublisher.open({ endpoint: "tcp://127.0.0.1:5557" });
 * publisher.publish(encodeKvEvents({ timestamp, events, dataParallelRank: 0 }));
 */
export class ZmqKvEventPublisher {
  /** The endpoints with the ports that they have. */
  readonly endpoint: string;
  readonly replayEndpoint: string | undefined;
  readonly #live: Publisher;
  readonly #replay: Router | undefined;
  readonly #topic: Uint8Array;
  /** The last payloads; the one numbered n is at n modulo the length. */
  readonly #ring: Uint8Array[];
  /** What the socket has not taken yet. */
  readonly #queue: Uint8Array[][] = [];
  #isSending = false;
  #next = 0;

  /** @throws Error where an endpoint is taken or no address of this machine */
  static async open(options: ZmqPublisherOptions): Promise<ZmqKvEventPublisher> {
    const zmq = await loadZmq();
    const live = new zmq.Publisher({ linger: 0, sendHighWaterMark: HIGH_WATER_MARK });
    // A ROUTER drops what is over the mark; the ring bounds an answer anyway.
    const replay = options.replayEndpoint ? new zmq.Router({ linger: 0, sendHighWaterMark: 0 }) : undefined;
    try {
      await bind(live, options.endpoint);
      if (replay !== undefined && options.replayEndpoint) await bind(replay, options.replayEndpoint);
    } catch (error) {
      live.close();
      replay?.close();
      throw error;
    }
    return new ZmqKvEventPublisher(options, live, replay);
  }

  private constructor(options: ZmqPublisherOptions, live: Publisher, replay: Router | undefined) {
    this.#live = live;
    this.#replay = replay;
    this.#topic = new TextEncoder().encode(options.topic ?? "");
    this.#ring = new Array<Uint8Array>(options.replayBatches ?? 10_000);
    this.endpoint = live.lastEndpoint!;
    this.replayEndpoint = replay?.lastEndpoint ?? undefined;
    void this.#serveReplays();
  }

  /** Batches published so far, which is the next one's sequence number. */
  get published(): number {
    return this.#next;
  }

  /** Publishes a payload, which must not change any more. */
  publish(payload: Uint8Array): void {
    this.#ring[this.#next % this.#ring.length] = payload;
    this.#queue.push([this.#topic, encodeSequence(this.#next), payload]);
    this.#next++;
    if (!this.#isSending) void this.#send();
  }

  close(): void {
    this.#live.close();
    this.#replay?.close();
  }

  /** A socket takes one message at a time; a PUB socket never lets one wait for long. */
  async #send(): Promise<void> {
    this.#isSending = true;
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift()) {
      if (!this.#live.closed) await this.#live.send(message);
    }
    this.#isSending = false;
  }

  async #serveReplays(): Promise<void> {
    if (this.#replay === undefined) return;
    for await (const [client, ...frames] of this.#replay) {
      // The empty frame before the number comes from REQ sockets, or from those that imitate them.
      const from = decodeSequence(frames.at(-1));
      if (client !== undefined && from !== undefined) await this.#sendPast(this.#replay, client, from);
    }
  }

  async #sendPast(replay: Router, client: Uint8Array, from: number): Promise<void> {
    const oldest = Math.max(0, this.#next - this.#ring.length);
    const end = this.#next;
    for (let sequence = Math.max(from, oldest); sequence < end && !replay.closed; sequence++) {
      const payload = this.#ring[sequence % this.#ring.length]!;
      await replay.send([client, emptyFrame, this.#topic, encodeSequence(sequence), payload]);
    }
    if (!replay.closed) await replay.send([client, emptyFrame, emptyFrame, endMarker, emptyFrame]);
  }
}

/** Messages that a subscriber may be behind before it loses some; vLLM's. */
const HIGH_WATER_MARK = 100_000;

async function bind(socket: Publisher | Router, endpoint: string): Promise<void> {
  await socket.bind(endpoint).catch((cause: Error) => {
    throw new Error(`Cannot publish KV events on ${endpoint}: ${cause.message}.`, { cause });
  });
}
