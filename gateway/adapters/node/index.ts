import { type AddressInfo, createServer } from "node:net";
import { serve } from "#runtime/node";
import { createGateway, type ServePeers } from "../../compose/create-gateway.ts";
import { Acceptors } from "../../remote/router/acceptors.ts";
import {
  DEFAULT_SERVER_LIMITS,
  type ListeningGateway,
  type ListeningOptions,
  type PeerPlane,
} from "../listening.ts";
import { openKvFeed } from "../sockets.ts";
import { followTls, nodePlatform } from "./platform.ts";
import { type HttpListener, listen } from "./server.ts";

/**
 * Starts a gateway in this Node process.
 * @throws AccessError for unusable key or certificate files
 */
export async function startNodeGateway(options: ListeningOptions): Promise<ListeningGateway> {
  const { admin, serverLimits: limits = DEFAULT_SERVER_LIMITS } = options;
  const { tls, platform } = await nodePlatform(options);
  const acceptors = options.hasAcceptors ? new Acceptors(options.log) : undefined;
  const gateway = await createGateway(
    { ...options, readOtherMetrics: acceptors && (() => acceptors.metrics()) },
    {
      ...platform,
      openKvFeed,
      servePeers: servePeers(options.peerPlane),
      routerModule: options.routerModule,
    },
  );
  const { host, log } = options;
  const listeners: HttpListener[] = [];
  let port: number | undefined;
  try {
    // Acceptors share their port with any process that asks for it, so check first that it is free.
    if (acceptors) port = await findPort(host, options.port);
    else listeners.push(await listen(gateway.fetch, { host, port: options.port, limits, tls, log }));
    if (admin?.port !== undefined) {
      const place = { host: admin.host, port: admin.port, tls: admin.isGuarded ? tls : undefined, log };
      listeners.push(await listen(gateway.fetchAdmin, { ...place, limits }));
    }
  } catch (error) {
    gateway.close();
    await Promise.all(listeners.map((listener) => listener.drain(0, () => {})));
    throw error;
  }
  const stopWatching = followTls(options, listeners);
  return {
    port: port ?? listeners[0]!.port,
    adminPort: admin?.port === undefined ? undefined : listeners.at(-1)!.port,
    models: gateway.models,
    engines: gateway.engines,
    joinAcceptor: acceptors && ((channel) => acceptors.join(channel, gateway)),
    beginDrain() {
      gateway.beginDrain();
      acceptors?.beginDrain();
      for (const listener of listeners) listener.beginDrain();
    },
    async drain(deadlineMs) {
      await Promise.all(listeners.map((listener) => listener.drain(deadlineMs, () => gateway.cutOff())));
      stopWatching();
      gateway.close();
    },
  };
}

const servePeers = (plane: PeerPlane | undefined): ServePeers | undefined =>
  plane && {
    async serve(handlers) {
      const server = await serve(plane.listen, handlers, { tls: plane.tls, nats: plane.nats });
      return { server, address: plane.advertised(server.address) };
    },
    defer: setImmediate,
  };

/** @throws the system's error, `EADDRINUSE` if the port is taken */
async function findPort(host: string, wanted: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(wanted, host, () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
