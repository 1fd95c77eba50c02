import { connect, ZmqKvEventSubscriber } from "#runtime/node";
import { engineFeeds } from "../feeds/engine-feed.ts";

/** What runtimes bring that have Node's sockets: Node itself, Deno and Bun. */
export const socketPlatform = {
  openKvFeed: engineFeeds((options) => new ZmqKvEventSubscriber(options)),
  connectWorker: connect,
};
