import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { compileRouter } from "#router-wasm";
import { createGateway, type GatewayOptions } from "../../create-gateway.ts";
import type { Models } from "../../pipeline/serving/models.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { openNodeEventStream } from "./event-stream.ts";
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
    files: { readTextFile: readIfThere, hubCache: hubCache() },
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

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}

/** Where Hugging Face's libraries keep what they have fetched. */
function hubCache(): string {
  const { HF_HUB_CACHE, HF_HOME } = process.env;
  return HF_HUB_CACHE ?? join(HF_HOME ?? join(homedir(), ".cache", "huggingface"), "hub");
}
