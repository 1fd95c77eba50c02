import { readFile } from "node:fs/promises";
import { compileRouter } from "#router-wasm";
import { createMetrics, type Discovery, type Logger } from "#runtime";
import type { PreferenceDefaults } from "../../api/openai/preferences.ts";
import { createApp } from "../../app.ts";
import { createGatewayMetrics } from "../../metrics.ts";
import { ModelCatalog } from "../../models/catalog.ts";
import { ServedModels } from "../../pipeline/serving/served-models.ts";
import { createTokenizerLoader } from "../../pipeline/serving/tokenizer-loader.ts";
import { DEFAULT_ROUTING, type RoutingOptions } from "../../routing/options.ts";
import { Warnings } from "../../warnings.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { openNodeEventStream } from "./event-stream.ts";
import { listen } from "./server.ts";

/** What of routing is left out has its default. */
export interface NodeGatewayOptions extends Partial<RoutingOptions> {
  host: string;
  /** 0 takes a free one. */
  port: number;
  discovery: Discovery;
  /** Path of the compiled router core. */
  routerWasm: string;
  /** Largest request body in bytes. */
  bodyLimit: number;
  /** Longest time from dispatch to the last token, in milliseconds. */
  timeoutMs: number;
  /** Which of OpenAI's fields stand for a session or tenant; default: none. */
  preferenceDefaults?: PreferenceDefaults;
  log: Logger;
  version: string;
}

export interface NodeGateway {
  readonly port: number;
  readonly models: ServedModels;
  /** Lets running requests end (for as long as the deadline), then closes everything. */
  drain(deadlineMs: number): Promise<void>;
}

/** A gateway in this Node process: HTTP in front, discovery and workers behind. */
export async function startNodeGateway(options: NodeGatewayOptions): Promise<NodeGateway> {
  const { log } = options;
  const { policy, weights, thresholds, queue, affinity, predictions, limits, decisionLog } = {
    ...DEFAULT_ROUTING,
    ...options,
  };
  const metrics = createGatewayMetrics(createMetrics({ labels: { component: "gateway" } }));
  const models = new ServedModels({
    catalog: new ModelCatalog(options.discovery, log),
    routerModule: await compileRouter(await readFile(options.routerWasm)),
    routing: { policy, weights, thresholds, queue, affinity, predictions, limits, decisionLog },
    loadTokenizer: createTokenizerLoader({
      readTextFile: (path) => readFile(path, "utf8"),
      createEncoder: nativeEncoderFactory(log),
    }),
    metrics,
    log,
  });
  const { bodyLimit, timeoutMs, version } = options;
  const preferenceDefaults = options.preferenceDefaults ?? { session: "none", tenant: "none" };
  const app = createApp(
    {
      models,
      metrics,
      log,
      warnings: new Warnings(log),
      openEventStream: openNodeEventStream,
      bodyLimit,
      timeoutMs,
      preferenceDefaults,
    },
    version,
  );
  await models.open();
  const listener = await listen(app.fetch as Parameters<typeof listen>[0], options.host, options.port);
  return {
    port: listener.port,
    models,
    async drain(deadlineMs) {
      await listener.drain(deadlineMs);
      models.close();
    },
  };
}
