import type { Logger, ZmqSubscriberOptions, ZmqSubscription } from "#runtime";
import type { KvEventOrigin } from "../engines/types.ts";
import { deliver, type Feed, type FeedReceiver } from "./feed.ts";

/** Subscribes to one rank's publisher with the runtime's sockets. @throws Error for an invalid endpoint */
export type SubscribeZmq = (options: ZmqSubscriberOptions) => ZmqSubscription;

/** Subscribes to the KV events of one engine rank over ZeroMQ, in vLLM's format. */
export function openZmqFeed(
  subscribe: SubscribeZmq,
  { endpoint, replayEndpoint, topic, rank }: KvEventOrigin & { kind: "zmq" },
  receiver: FeedReceiver,
  log: Logger,
): Feed {
  const subscription = subscribe({
    endpoint,
    replayEndpoint,
    topic,
    start: receiver.startOf?.(rank),
    onPayload: (payload) => deliver(receiver, payload),
    onMalformed: (what) => receiver.onUnreadable(what),
    onForget: () => receiver.onForget(rank),
    onFault: (error) => log.error("cannot apply the engine's KV events", { endpoint, error }),
  });
  return {
    get isConnected() {
      return subscription.isConnected;
    },
    get batches() {
      return subscription.counters.applied;
    },
    positionOf: (asked) => (asked === rank ? subscription.position : undefined),
    close: () => subscription.close(),
  };
}
