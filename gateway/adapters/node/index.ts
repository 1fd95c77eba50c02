import { readFile } from "node:fs/promises";
import { compileRouter } from "#router-wasm";
import { createGateway } from "../../create-gateway.ts";
import type { ListeningGateway, ListeningOptions } from "../listening.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { openNodeEventStream } from "./event-stream.ts";
import { nodeFiles } from "./files.ts";
import { NodeHttpTransport } from "./http/index.ts";
import { listen } from "./server.ts";

/** A gateway in this Node process: HTTP in front, discovery and workers behind. */
export async function startNodeGateway(options: ListeningOptions): Promise<ListeningGateway> {
  const gateway = await createGateway(options, {
    routerModule: await compileRouter(await readFile(options.routerWasm)),
    transport: new NodeHttpTransport(),
    openEventStream: openNodeEventStream,
    createEncoder: nativeEncoderFactory(options.log),
    files: nodeFiles(),
  });
  const listener = await listen(gateway.fetch, options.host, options.port);
  return {
    port: listener.port,
    models: gateway.models,
    async drain(deadlineMs) {
      await listener.drain(deadlineMs);
      gateway.close();
    },
  };
}
