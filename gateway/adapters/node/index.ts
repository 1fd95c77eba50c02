import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { compileRouter } from "#router-wasm";
import { createMetrics, type Discovery, type Logger } from "#runtime";
import type { PreferenceDefaults } from "../../api/openai/preferences.ts";
import { createApp } from "../../app.ts";
import { DEFAULT_HEALTH, type EngineSpec, type HealthOptions } from "../../dispatch/engines/engine-spec.ts";
import { createEngineApi, probeEngine } from "../../engines/index.ts";
import { createGatewayMetrics } from "../../metrics.ts";
import { ModelCatalog } from "../../models/catalog.ts";
import { DEFAULT_FORWARDING, type ForwardOptions } from "../../pipeline/forward/job.ts";
import { AttachedModels } from "../../pipeline/serving/attached-models.ts";
import { Models } from "../../pipeline/serving/models.ts";
import { createPromptReaderLoader } from "../../pipeline/serving/prompt-readers.ts";
import { ServedModels } from "../../pipeline/serving/served-models.ts";
import { createTokenizerLoader } from "../../pipeline/serving/tokenizer-loader.ts";
import { DEFAULT_ROUTING, type RoutingOptions } from "../../routing/options.ts";
import { Warnings } from "../../warnings.ts";
import { nativeEncoderFactory } from "./encoder.ts";
import { openNodeEventStream } from "./event-stream.ts";
import { NodeHttpTransport } from "./http/index.ts";
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
  /** Engines to attach, which need not be up yet. */
  engines?: readonly EngineSpec[];
  /** Folders or hub ids to read tokenizers from, by model; the empty name stands for all. */
  tokenizers?: ReadonlyMap<string, string>;
  health?: Partial<HealthOptions>;
  forwarding?: Partial<ForwardOptions>;
  /** Which of OpenAI's fields stand for a session or tenant; default: none. */
  preferenceDefaults?: PreferenceDefaults;
  log: Logger;
  version: string;
}

export interface NodeGateway {
  readonly port: number;
  readonly models: Models;
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
  const routing = { policy, weights, thresholds, queue, affinity, predictions, limits, decisionLog };
  const routerModule = await compileRouter(await readFile(options.routerWasm));
  const createEncoder = nativeEncoderFactory(log);
  const served = new ServedModels({
    catalog: new ModelCatalog(options.discovery, log),
    routerModule,
    routing,
    loadTokenizer: createTokenizerLoader({ readTextFile: (path) => readFile(path, "utf8"), createEncoder }),
    metrics,
    log,
  });
  const health = { ...DEFAULT_HEALTH, ...options.health };
  const attached = new AttachedModels({
    routerModule,
    routing,
    metrics,
    log,
    health,
    createApi: ({ url, apiKey }) => createEngineApi(url, { apiKey }),
    probe: probeEngine,
    loadPromptReader: createPromptReaderLoader({
      folders: { readTextFile: readIfThere, createEncoder, hubCache: hubCache() },
      tokenizers: options.tokenizers ?? new Map(),
      log,
    }),
  });
  const models = new Models(served, attached);
  const transport = new NodeHttpTransport();
  const { bodyLimit, timeoutMs, version } = options;
  const preferenceDefaults = options.preferenceDefaults ?? { session: "none", tenant: "none" };
  const app = createApp(
    {
      models,
      transport,
      forwarding: { ...DEFAULT_FORWARDING, totalMs: options.timeoutMs, ...options.forwarding },
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
  await served.open();
  for (const spec of options.engines ?? []) attached.attach(spec);
  const listener = await listen(app.fetch as Parameters<typeof listen>[0], options.host, options.port);
  return {
    port: listener.port,
    models,
    async drain(deadlineMs) {
      await listener.drain(deadlineMs);
      served.close();
      attached.close();
      transport.close();
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
