import { type Logger, type RequestPlaneClient, subscribeKvEvents } from "#runtime";
import { type Feed, type FeedReceiver, workerCallbacks } from "./feed.ts";

/**
 * Subscribes to the KV events of all of a worker's ranks over the request plane.
 * @param onSilence called if the worker publishes none
 */
export function openPlaneFeed(
  client: RequestPlaneClient,
  receiver: FeedReceiver,
  log: Logger,
  onSilence: () => void,
): Feed {
  let isConnected = true;
  const subscription = subscribeKvEvents(client, {
    ...workerCallbacks(receiver, log),
    onEnd: (error) => {
      isConnected = false;
      if (error?.code === "unknown_endpoint") onSilence();
    },
  });
  return {
    get isConnected() {
      return isConnected;
    },
    get batches() {
      return subscription.counters.applied;
    },
    get gaps() {
      return subscription.counters.gaps;
    },
    // Workers send a snapshot to every gateway.
    positionOf: () => undefined,
    close() {
      isConnected = false;
      subscription.close();
    },
  };
}
