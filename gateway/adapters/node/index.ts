import { readFile } from "node:fs/promises";
import { compileRouter } from "#router-wasm";
import { createGateway, type GatewayOptions } from "../../create-gateway.ts";
import type { Models } from "../../pipeline/serving/models.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { openNodeEventStream } from "./event-stream.ts";
import { nodeFiles } from "./files.ts";
import { NodeHttpTransport } from "./http/index.ts";
import { listen } from "./server.ts";

export interface NodeGatewayOptions extends GatewayOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Path of the compiled router core. */
  routerWasm: string;
}

export interface NodeGateway {
  readonly port: number;
  readonly models: Models;
  /** Lets running requests end (for as long as the deadline), then closes everything. */
  drain(deadlineMs: number): Promise<void>;
}

/** A gateway in this Node process: HTTP in front, discovery and workers behind. */
export async function startNodeGateway(options: NodeGatewayOptions): Promise<NodeGateway> {
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
