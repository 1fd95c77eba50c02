import {
  type KvEventStream,
  type Logger,
  messageOf,
  type RequestPlaneClient,
  subscribeToStream,
} from "#runtime";
import { type Feed, type FeedReceiver, workerCallbacks } from "./feed.ts";

export interface NatsFeedOptions {
  readonly stream: KvEventStream;
  /** Where the worker publishes, as it says in discovery. */
  readonly subject: string;
  /** The worker itself, to ask for what the stream lacks. */
  readonly client: RequestPlaneClient;
}

/**
 * Subscribes to the KV events of all of a worker's ranks in a stream, to which it publishes them once for all gateways.
 * @throws Error for a subject of another stream
 */
export function openNatsFeed(options: NatsFeedOptions, receiver: FeedReceiver, log: Logger): Feed {
  const subscription = subscribeToStream({
    ...options,
    onUnreadable: (error) =>
      log.debug("cannot read the kept KV events; asking the worker", { reason: messageOf(error) }),
    callbacks: workerCallbacks(receiver, log),
  });
  let isClosed = false;
  return {
    get isConnected() {
      return !isClosed && (subscription.isLive || subscription.position !== undefined);
    },
    get isStreamed() {
      return !subscription.isFromWorker;
    },
    get batches() {
      return subscription.counters.applied;
    },
    get gaps() {
      return subscription.counters.gaps;
    },
    // The stream has it, or the worker.
    positionOf: () => undefined,
    close() {
      isClosed = true;
      subscription.close();
    },
  };
}
