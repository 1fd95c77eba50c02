import { readFileSync } from "node:fs";
import { routerWasm } from "#cli";
import { startGateway } from "#gateway";
import { compileRouter } from "#router-wasm";
import { openDiscovery } from "#runtime/node";
import { log, startEchoWorker } from "./echo-worker.ts";
import { answerParent } from "./parent-link.ts";

export interface GatewayStart {
  discovery: string;
  /** Milliseconds between two tokens of the echo worker in this process; undefined if it has its own process. */
  echoDelayMs: number | undefined;
}

answerParent({
  async start({ discovery: url, echoDelayMs }: GatewayStart): Promise<number> {
    const discovery = await openDiscovery(url);
    if (echoDelayMs !== undefined) await startEchoWorker(discovery, "memory:bench", echoDelayMs);
    const gateway = await startGateway({
      host: "127.0.0.1",
      port: 0,
      discovery,
      routerModule: await compileRouter(readFileSync(routerWasm)),
      policy: "kv",
      weights: {},
      bodyLimit: 1024 * 1024,
      timeoutMs: 600_000,
      log,
      version: "bench",
    });
    return gateway.port;
  },
});
