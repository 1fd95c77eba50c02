import type { Logger, ZmqSubscriberOptions, ZmqSubscription } from "#runtime";
import type { KvEventSource } from "../engines/types.ts";
import { deliver, type Feed, type FeedReceiver } from "./feed.ts";

/** Follows one rank's publisher, with the sockets of whatever runtime this is. @throws Error for an endpoint that is none */
export type SubscribeZmq = (options: ZmqSubscriberOptions) => ZmqSubscription;

/** The KV events of one rank of an engine over ZeroMQ, as vLLM publishes them. */
export function openZmqFeed(
  subscribe: SubscribeZmq,
  { endpoint, replayEndpoint, topic, rank }: KvEventSource & { kind: "zmq" },
  receiver: FeedReceiver,
  log: Logger,
): Feed {
  const subscription = subscribe({
    endpoint,
    replayEndpoint,
    topic,
    onPayload: (payload) => deliver(receiver, payload),
    onMalformed: (what) => receiver.onUnreadable(what),
    onForget: () => receiver.onForget(rank),
    onFault: (error) => log.error("cannot use the engine's KV events", { endpoint, error }),
  });
  return {
    get isConnected() {
      return subscription.isConnected;
    },
    get batches() {
      return subscription.counters.applied;
    },
    close: () => subscription.close(),
  };
}
