import {
  encodeKvEvents,
  type Handler,
  type KvEvent,
  KvEventPublisher,
  type Logger,
  type ModelCard,
  rankEndpoint,
} from "#runtime";
import { NatsKvEventPublisher, type NatsKvEvents, ZmqKvEventPublisher } from "#runtime/node";
import type { Engine, KvEventSource } from "./engine.ts";
import { type KvEventsPrivacy, PrivateKvEvents } from "./private-kv-events.ts";

/** Options for also publishing an engine's KV events over ZeroMQ, named as in vLLM. */
export interface ZmqEventsOptions {
  /** `tcp://HOST:PORT`; rank r uses port + r, and port 0 picks free ones. */
  endpoint: string;
  topic?: string | undefined;
  /** Where lost batches can be requested; ports as above. */
  replayEndpoint?: string | undefined;
  /** Batches to keep for replays. Default 10,000. */
  replayBatches?: number | undefined;
}

export interface KvEventsOptions {
  readonly zmq: ZmqEventsOptions | undefined;
  /** Publishes keyed hashes in place of token ids. */
  readonly privacy: KvEventsPrivacy | undefined;
  /** Also publishes to this stream, once for all gateways. */
  readonly stream?: NatsKvEvents | undefined;
}

/** The source of a rank's events, as in vLLM's `/kv_event_sources`. */
export interface ZmqEventSource {
  dataParallelRank: number;
  endpoint: string;
  replayEndpoint: string | undefined;
  topic: string;
}

export interface KvEventPublishing {
  /** Serves the request plane's endpoint for KV events. */
  readonly handler: Handler;
  /** The ranks' sources over ZeroMQ; empty without `zmq`. */
  readonly sources: readonly ZmqEventSource[];
  /** Publishes to a stream; undefined without one. */
  readonly streamed: NatsKvEventPublisher | undefined;
  close(): Promise<void>;
}

/**
 * Publishes an engine's KV events to gateways over the request plane, with `zmq` also to vLLM-compatible subscribers over
 * ZeroMQ, and with `stream` also once for all gateways. Returns undefined for an engine without KV events.
 *
 * @throws Error for `zmq` with an engine without KV events, or if an endpoint is unavailable
 */
export async function publishKvEvents(
  engine: Engine,
  { engine: { name }, dataParallelSize, blockSize }: ModelCard,
  { zmq, privacy, stream }: KvEventsOptions,
  log: Logger,
): Promise<KvEventPublishing | undefined> {
  if (engine.kvEvents === undefined) {
    if (zmq === undefined) return undefined;
    throw new Error(`The engine ${name} has no KV events to publish on ${zmq.endpoint}.`);
  }
  const source = privacy ? new PrivateKvEvents(engine.kvEvents, privacy, blockSize) : engine.kvEvents;
  const ranks = zmq === undefined ? [] : await openRanks(zmq, dataParallelSize);
  const publisher = new KvEventPublisher({ dataParallelSize, snapshot: (rank) => source.snapshot(rank) });
  connect(source, publisher, ranks);
  const sources = ranks.map(({ endpoint, replayEndpoint }, dataParallelRank): ZmqEventSource => {
    return { dataParallelRank, endpoint, replayEndpoint, topic: zmq?.topic ?? "" };
  });
  for (const { dataParallelRank: rank, endpoint, replayEndpoint: replay } of sources) {
    log.info("KV events over ZeroMQ", { rank, endpoint, ...(replay !== undefined && { replay }) });
  }
  const streamed = stream && new NatsKvEventPublisher(publisher, stream, log);
  return {
    handler: publisher.handler,
    sources,
    streamed,
    async close() {
      for (const rank of ranks) rank.close();
      await streamed?.close();
    },
  };
}

function connect(
  source: KvEventSource,
  publisher: KvEventPublisher,
  ranks: readonly ZmqKvEventPublisher[],
): void {
  source.subscribe((events: KvEvent[], dataParallelRank = 0) => {
    publisher.publish(events, dataParallelRank);
    if (events.length === 0) return;
    ranks[dataParallelRank]?.publish(
      encodeKvEvents({ timestamp: Date.now() / 1000, events, dataParallelRank }),
    );
  });
}

async function openRanks(zmq: ZmqEventsOptions, count: number): Promise<ZmqKvEventPublisher[]> {
  const ranks: ZmqKvEventPublisher[] = [];
  try {
    for (let rank = 0; rank < count; rank++) {
      const endpoint = rankEndpoint(zmq.endpoint, rank);
      const replayEndpoint = zmq.replayEndpoint && rankEndpoint(zmq.replayEndpoint, rank);
      ranks.push(await ZmqKvEventPublisher.open({ ...zmq, endpoint, replayEndpoint }));
    }
  } catch (error) {
    for (const rank of ranks) rank.close();
    throw error;
  }
  return ranks;
}
