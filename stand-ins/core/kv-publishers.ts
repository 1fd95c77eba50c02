import { encodeKvEvents, type KvEvent, ZmqKvEventPublisher } from "#runtime";
import type { KvEventOptions } from "./options.ts";

/** Where a rank's KV events are, as an engine would say it: on all addresses of its machine. */
export interface KvEventPlace {
  readonly rank: number;
  readonly endpoint: string;
  readonly replayEndpoint: string | undefined;
  readonly topic: string;
}

/** Publishes each rank's KV events over ZeroMQ, on ports that follow each other. */
export class KvPublishers {
  readonly places: readonly KvEventPlace[];
  readonly #publishers: readonly ZmqKvEventPublisher[];

  /** @throws Error where a port is taken */
  static async open(options: KvEventOptions, ranks: number): Promise<KvPublishers> {
    for (let attempt = 0; ; attempt++) {
      try {
        return new KvPublishers(await openRanks(options, ranks), options.topic ?? "");
      } catch (error) {
        // Ports after a free one may be taken; then another one is tried.
        const isChosen = options.port || options.replayPort;
        if (isChosen || attempt === 20) throw error;
      }
    }
  }

  private constructor(publishers: readonly ZmqKvEventPublisher[], topic: string) {
    this.#publishers = publishers;
    this.places = publishers.map(({ endpoint, replayEndpoint }, rank) => ({
      rank,
      endpoint: anyAddress(endpoint),
      replayEndpoint: replayEndpoint && anyAddress(replayEndpoint),
      topic,
    }));
  }

  publish(rank: number, events: KvEvent[]): void {
    const timestamp = Date.now() / 1000;
    this.#publishers[rank]?.publish(encodeKvEvents({ timestamp, events, dataParallelRank: rank }));
  }

  close(): void {
    for (const publisher of this.#publishers) publisher.close();
  }
}

async function openRanks(options: KvEventOptions, ranks: number): Promise<ZmqKvEventPublisher[]> {
  const { port = 0, replayPort, topic, replayBatches } = options;
  const publishers: ZmqKvEventPublisher[] = [];
  try {
    for (let rank = 0; rank < ranks; rank++) {
      const [first] = publishers;
      publishers.push(
        await ZmqKvEventPublisher.open({
          endpoint: endpointOf(rank, port, first?.endpoint),
          replayEndpoint:
            replayPort === undefined ? undefined : endpointOf(rank, replayPort, first?.replayEndpoint),
          topic,
          replayBatches,
        }),
      );
    }
    return publishers;
  } catch (error) {
    for (const publisher of publishers) publisher.close();
    throw error;
  }
}

/** Rank 0 takes the wanted port, or a free one; the others those after it. */
function endpointOf(rank: number, port: number, first: string | undefined): string {
  const base = first === undefined ? port : Number(first.slice(first.lastIndexOf(":") + 1));
  return `tcp://127.0.0.1:${base === 0 ? 0 : base + rank}`;
}

function anyAddress(endpoint: string): string {
  return endpoint.replace("127.0.0.1", "*");
}
