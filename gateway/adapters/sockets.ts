import { connect, ZmqKvEventSubscriber } from "#runtime/node";
import { engineFeeds } from "../feeds/engine-feed.ts";
import type { ConnectWorker } from "../models/members/worker-connection.ts";
import type { WorkerPlane } from "./listening.ts";

/** The platform features of runtimes with Node's sockets: Node itself, Deno and Bun. */
export const openKvFeed = engineFeeds((options) => new ZmqKvEventSubscriber(options));

/** Connects to workers, with the gateway's own certificates and NATS servers. */
export const workerConnector =
  (plane: WorkerPlane = {}): ConnectWorker =>
  (address, options) =>
    connect(address, { ...plane, ...options });
