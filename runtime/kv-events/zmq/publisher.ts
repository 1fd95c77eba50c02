import { ZmtpListener } from "../zmtp/listener.ts";
import { ZmtpPublisher } from "../zmtp/publisher.ts";
import { encodeSequence } from "./frames.ts";
import { type PastBatches, ReplayServer } from "./replay-server.ts";

export interface ZmqPublisherOptions {
  /** Where subscribers connect: `tcp://HOST:PORT` or `ipc://PATH`; port 0 picks a free one. */
  endpoint: string;
  /** The topic of every message, by which subscribers filter. Default: empty. */
  topic?: string | undefined;
  /** Where lost batches can be requested. Default: nowhere. */
  replayEndpoint?: string | undefined;
  /** Batches kept for replays. Default 10,000, as in vLLM. */
  replayBatches?: number | undefined;
}

/**
 * Publishes one rank's KV events over ZeroMQ like vLLM, so that vLLM's subscribers can follow it: numbered messages from
 * a PUB socket, past ones from a ROUTER socket. See `frames.ts`.
 *
 * @example
 * const publisher = await ZmqKvEventPublisher.open({ endpoint: "tcp://127.0.0.1:5557" });
 * publisher.publish(encodeKvEvents({ timestamp, events, dataParallelRank: 0 }));
 */
export class ZmqKvEventPublisher {
  readonly #live: ZmtpPublisher;
  readonly #past: Ring;
  readonly #replay: ZmtpListener | undefined;

  /** @throws Error if an endpoint is in use or not on this machine; RangeError for an invalid endpoint */
  static async open(options: ZmqPublisherOptions): Promise<ZmqKvEventPublisher> {
    const { endpoint, replayEndpoint, replayBatches = 10_000 } = options;
    const topic = new TextEncoder().encode(options.topic ?? "");
    const past = new Ring(topic, replayBatches);
    const live = await named(
      endpoint,
      ZmtpPublisher.bind({
        endpoint,
        topic,
        highWaterMark: HIGH_WATER_MARK,
        highWaterBytes: HIGH_WATER_BYTES,
      }),
    );
    if (!replayEndpoint) return new ZmqKvEventPublisher(live, past, undefined);
    try {
      const replay = ZmtpListener.bind(
        replayEndpoint,
        "ROUTER",
        (connection) => new ReplayServer(connection, past),
      );
      return new ZmqKvEventPublisher(live, past, await named(replayEndpoint, replay));
    } catch (error) {
      live.close();
      throw error;
    }
  }

  private constructor(live: ZmtpPublisher, past: Ring, replay: ZmtpListener | undefined) {
    this.#live = live;
    this.#past = past;
    this.#replay = replay;
  }

  /** The endpoints with their actual ports. */
  get endpoint(): string {
    return this.#live.endpoint;
  }

  get replayEndpoint(): string | undefined {
    return this.#replay?.endpoint;
  }

  /** Batches published so far, which is the next one's sequence number. */
  get published(): number {
    return this.#past.end;
  }

  /** The number of connected subscribers to the topic. */
  get subscribers(): number {
    return this.#live.subscribers;
  }

  /** Publishes a payload, which must not change afterwards. Never waits for a subscriber. */
  publish(payload: Uint8Array): void {
    this.#live.send([encodeSequence(this.#past.end), payload]);
    this.#past.push(payload);
  }

  close(): void {
    this.#live.close();
    this.#replay?.close();
  }
}

/** How many messages a subscriber can lag behind before it loses some, as in vLLM. */
const HIGH_WATER_MARK = 100_000;

/** The same in bytes: beyond that, a replay or a fresh start is better. */
const HIGH_WATER_BYTES = 256 * 1024 * 1024;

/** The most recent payloads. */
class Ring implements PastBatches {
  readonly topic: Uint8Array;
  /** Payload n is at n modulo the length. */
  readonly #payloads: Uint8Array[];
  #end = 0;

  constructor(topic: Uint8Array, size: number) {
    this.topic = topic;
    this.#payloads = new Array<Uint8Array>(size);
  }

  get oldest(): number {
    return Math.max(0, this.#end - this.#payloads.length);
  }

  get end(): number {
    return this.#end;
  }

  payload(sequence: number): Uint8Array {
    return this.#payloads[sequence % this.#payloads.length]!;
  }

  push(payload: Uint8Array): void {
    this.#payloads[this.#end % this.#payloads.length] = payload;
    this.#end++;
  }
}

function named<Bound>(endpoint: string, bound: Promise<Bound>): Promise<Bound> {
  return bound.catch((cause: Error) => {
    throw new Error(`Cannot publish KV events on ${endpoint}: ${cause.message}.`, { cause });
  });
}
