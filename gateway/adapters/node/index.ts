import { createGateway } from "../../create-gateway.ts";
import { DEFAULT_SERVER_LIMITS, type ListeningGateway, type ListeningOptions } from "../listening.ts";
import { readEngineTls, readTls, watchTls } from "./access/tls-files.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { openNodeEventStream } from "./event-stream.ts";
import { nodeFiles } from "./files.ts";
import { NodeHttpTransport } from "./http/index.ts";
import { createTlsFetch } from "./http/tls-fetch.ts";
import { listen } from "./server.ts";

/**
 * A gateway in this Node process: HTTP in front, discovery and workers behind.
 * @throws AccessError for files of keys or certificates that cannot be used
 */
export async function startNodeGateway(options: ListeningOptions): Promise<ListeningGateway> {
  const { host, port, admin, log, serverLimits: limits = DEFAULT_SERVER_LIMITS } = options;
  const tls = options.tls && (await readTls(options.tls));
  const engineTls = await readEngineTls(options.engineTls ?? {});
  const gateway = await createGateway(options, {
    routerModule: options.routerModule,
    transport: new NodeHttpTransport(engineTls),
    engineFetch: engineTls && createTlsFetch(engineTls),
    openEventStream: openNodeEventStream,
    createEncoder: nativeEncoderFactory(log),
    files: nodeFiles(),
  });
  const listeners = [await listen(gateway.fetch, { host, port, limits, tls })];
  if (admin?.port !== undefined) {
    const place = { host: admin.host, port: admin.port, tls: admin.isGuarded ? tls : undefined };
    listeners.push(await listen(gateway.fetchAdmin, { ...place, limits }));
  }
  const stopWatching =
    options.tls &&
    watchTls(
      options.tls,
      (identity) => {
        for (const listener of listeners) listener.useTls(identity);
      },
      log,
    );
  return {
    port: listeners[0]!.port,
    adminPort: listeners[1]?.port,
    models: gateway.models,
    async drain(deadlineMs) {
      await Promise.all(listeners.map((listener) => listener.drain(deadlineMs)));
      stopWatching?.();
      gateway.close();
    },
  };
}
