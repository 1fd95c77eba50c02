import { encodeKvEvents, type KvEvent } from "#runtime";
import { ZmqKvEventPublisher } from "#runtime/node";
import { openAtPort } from "./free-port.ts";
import type { KvEventOptions } from "./options.ts";

/** A rank's KV event endpoints, as an engine would report them: on all addresses of its machine. */
export interface KvEventPlace {
  readonly rank: number;
  readonly endpoint: string;
  readonly replayEndpoint: string | undefined;
  readonly topic: string;
}

/** Publishes each rank's KV events over ZeroMQ, on consecutive ports. */
export class KvPublishers {
  readonly places: readonly KvEventPlace[];
  readonly #publishers: readonly ZmqKvEventPublisher[];

  /** @throws Error if a port is taken */
  static async open(options: KvEventOptions, ranks: number): Promise<KvPublishers> {
    const { port = 0, replayPort, topic = "" } = options;
    return openAtPort(port, async (first) => {
      if (replayPort === undefined) return new KvPublishers(await openRanks(options, ranks, first), topic);
      return openAtPort(
        replayPort,
        async (firstReplay) => new KvPublishers(await openRanks(options, ranks, first, firstReplay), topic),
      );
    });
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

/** Rank 0 uses these ports, and the other ranks the ports after them. */
async function openRanks(
  { topic, replayBatches }: KvEventOptions,
  ranks: number,
  port: number,
  replayPort?: number,
): Promise<ZmqKvEventPublisher[]> {
  const publishers: ZmqKvEventPublisher[] = [];
  try {
    for (let rank = 0; rank < ranks; rank++) {
      publishers.push(
        await ZmqKvEventPublisher.open({
          endpoint: `tcp://127.0.0.1:${port + rank}`,
          replayEndpoint: replayPort === undefined ? undefined : `tcp://127.0.0.1:${replayPort + rank}`,
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

function anyAddress(endpoint: string): string {
  return endpoint.replace("127.0.0.1", "*");
}
