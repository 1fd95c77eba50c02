import { connect, ZmqKvEventSubscriber } from "#runtime/node";
import { engineFeeds } from "../feeds/engine-feed.ts";

/** The platform features of runtimes with Node's sockets: Node itself, Deno and Bun. */
export const socketPlatform = {
  openKvFeed: engineFeeds((options) => new ZmqKvEventSubscriber(options)),
  connectWorker: connect,
};
