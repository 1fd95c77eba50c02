export {
  type DecodedKvEvents,
  decodeKvEvents,
  encodeKvEvents,
  KvEventError,
  type KvEventPayload,
} from "./codec.ts";
export { KvEventPublisher, type KvEventPublisherOptions } from "./publisher.ts";
export {
  type StreamSubscription,
  type StreamSubscriptionOptions,
  subscribeToStream,
} from "./stream/subscriber.ts";
export type { KvEventStream, StreamListener } from "./stream/types.ts";
export {
  type KvEventCallbacks,
  type KvEventCounters,
  type KvEventPosition,
  type KvEventSubscription,
  subscribeKvEvents,
} from "./subscriber.ts";
export type { KvEvent, KvEventBatch, KvStoredEvent, KvTier, UnreadableKvEvent } from "./types.ts";
export { kvEventsEndpoint } from "./wire.ts";
export { rankEndpoint } from "./zmq/endpoint.ts";
export type {
  ZmqPosition,
  ZmqSubscriberCounters,
  ZmqSubscriberOptions,
  ZmqSubscription,
} from "./zmq/subscription.ts";
