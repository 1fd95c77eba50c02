import { ZmtpListener } from "../zmtp/listener.ts";
import { ZmtpPublisher } from "../zmtp/publisher.ts";
import { encodeSequence } from "./frames.ts";
import { type PastBatches, ReplayServer } from "./replay-server.ts";

export interface ZmqPublisherOptions {
  /** Where subscribers connect: `tcp://HOST:PORT` or `ipc://PATH`; port 0 takes a free one. */
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
  readonly #live: ZmtpPublisher;
  readonly #past: Ring;
  readonly #replay: ZmtpListener | undefined;

  /** @throws Error where an endpoint is taken or no address of this machine; RangeError for what is no endpoint */
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

  /** The endpoints with the ports that they have. */
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

  /** Those who are connected and want the topic. */
  get subscribers(): number {
    return this.#live.subscribers;
  }

  /** Publishes a payload, which must not change any more. Never waits for a subscriber. */
  publish(payload: Uint8Array): void {
    this.#live.send([encodeSequence(this.#past.end), payload]);
    this.#past.push(payload);
  }

  close(): void {
    this.#live.close();
    this.#replay?.close();
  }
}

/** Messages that a subscriber may be behind before it loses some; vLLM's. */
const HIGH_WATER_MARK = 100_000;

/** Whatever their number: more than that would rather be asked for again, or begun anew. */
const HIGH_WATER_BYTES = 256 * 1024 * 1024;

/** The last payloads. */
class Ring implements PastBatches {
  readonly topic: Uint8Array;
  /** The one numbered n is at n modulo the length. */
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
