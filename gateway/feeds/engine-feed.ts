import type { Feed, OpenEngineFeed } from "./feed.ts";
import { PollFeed } from "./poll-feed.ts";
import { openZmqFeed, type SubscribeZmq } from "./zmq-feed.ts";

/** Opens one feed per source with a runtime's sockets, and combines them. */
export const engineFeeds =
  (subscribe: SubscribeZmq): OpenEngineFeed =>
  (sources, api, adapter, receiver, log) => {
    const feeds = sources.flatMap((source): Feed[] => {
      if (source.kind === "poll") return [new PollFeed(api, adapter, receiver, log)];
      try {
        return [openZmqFeed(subscribe, source, receiver, log)];
      } catch (error) {
        const { endpoint } = source;
        log.error("cannot subscribe to the engine's KV events", { endpoint, reason: String(error) });
        return [];
      }
    });
    return {
      get isConnected() {
        return feeds.length > 0 && feeds.every((feed) => feed.isConnected);
      },
      get batches() {
        return feeds.reduce((sum, feed) => sum + feed.batches, 0);
      },
      positionOf(rank) {
        for (const feed of feeds) {
          const position = feed.positionOf(rank);
          if (position !== undefined) return position;
        }
        return undefined;
      },
      close() {
        for (const feed of feeds) feed.close();
      },
    };
  };
