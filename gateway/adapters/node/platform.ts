import type { AcceptorPlatform } from "../../compose/create-acceptor.ts";
import type { ListeningOptions } from "../listening.ts";
import { workerConnector } from "../sockets.ts";
import { readEngineTls, readTls, warnOfTls, watchTls } from "./access/tls-files.ts";
import { nodeByteTools } from "./byte-tools.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { nodeEventStreams } from "./event-stream.ts";
import { nodeFiles } from "./files.ts";
import { NodeHttpTransport } from "./http/index.ts";
import { createTlsFetch } from "./http/tls-fetch.ts";
import { createOpenUrl } from "./open-url.ts";
import type { HttpListener } from "./server.ts";

type NodeOptions = Pick<ListeningOptions, "tls" | "engineTls" | "workerPlane" | "log">;

/**
 * Node's platform, and the TLS identity to listen with.
 * @throws AccessError for unusable certificates
 */
export async function nodePlatform({ log, ...options }: NodeOptions) {
  const tls = options.tls && (await readTls(options.tls));
  if (options.tls && tls) await warnOfTls(options.tls, tls, log);
  const engineTls = await readEngineTls(options.engineTls ?? {});
  const platform: AcceptorPlatform = {
    transport: new NodeHttpTransport(engineTls),
    engineFetch: engineTls && createTlsFetch(engineTls),
    openEventStream: nodeEventStreams(log),
    createEncoder: nativeEncoderFactory(log),
    files: nodeFiles(),
    byteTools: await nodeByteTools(log),
    openUrl: createOpenUrl(),
    connectWorker: workerConnector(options.workerPlane),
  };
  return { tls, platform };
}

/** Makes the listeners use each new certificate. @returns stops watching */
export function followTls({ tls, log }: NodeOptions, listeners: readonly HttpListener[]): () => void {
  if (tls === undefined) return () => {};
  return watchTls(
    tls,
    (identity) => {
      for (const listener of listeners) listener.useTls(identity);
    },
    log,
  );
}
