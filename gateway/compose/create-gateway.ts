import {
  createMetrics,
  type Discovery,
  type KvEventStream,
  type Logger,
  type MetricsSnapshot,
  measureDiscovery,
  randomId,
  Warnings,
} from "#runtime";
import type { Access } from "../access/guard.ts";
import { type AccessOptions, openAccess } from "../access/open-access.ts";
import type { OpsDependencies } from "../api/dependencies.ts";
import type { PreferenceDefaults } from "../api/openai/preferences.ts";
import { createMetricsRoute } from "../api/ops/metrics.ts";
import { openApiDocument } from "../api/ops/openapi.ts";
import { addAdminRoutes, addOpsRoutes, addPublicRoutes } from "../api/ops/routes.ts";
import { NO_RESCUE, type RescueOptions } from "../api/rescue/options.ts";
import type { TranslateWhen } from "../api/translation/when.ts";
import { diagnose } from "../doctor/index.ts";
import { createEngineApi, probeEngine } from "../engines/index.ts";
import { probeIsolated } from "../engines/isolated-probe.ts";
import type { OpenEngineFeed } from "../feeds/feed.ts";
import type { OpenEventStream } from "../kernel/event-stream.ts";
import { viaOf } from "../kernel/loops.ts";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import type { ByteTools } from "../media/byte-tools.ts";
import type { OpenUrl } from "../media/fetch.ts";
import { AnnouncedEncoders } from "../models/encoders/announced-encoders.ts";
import { LocalModel } from "../models/local-model.ts";
import { WantedAdapters, type WantedLoras } from "../models/lora/wanted-adapters.ts";
import { DEFAULT_HEALTH, type EngineSpec, type HealthOptions } from "../models/members/engine-spec.ts";
import { BackgroundWatch, type EngineWatch } from "../models/members/engine-watch.ts";
import type { ConnectWorker } from "../models/members/worker-connection.ts";
import type { ModelNames } from "../models/models.ts";
import { Models } from "../models/models.ts";
import { createPromptReaderLoader } from "../models/prompt-readers.ts";
import { AttachedEngines } from "../models/sources/attached-engines.ts";
import { ModelCatalog } from "../models/sources/catalog.ts";
import { DiscoveredWorkers } from "../models/sources/discovered-workers.ts";
import { GatewayPeers, type GatewayPeersOptions } from "../peers/gateway-peers.ts";
import type { EncoderFactory } from "../prompts/tokenizers/huggingface.ts";
import { createTokenizerLoader } from "../prompts/tokenizers/tokenizer-loader.ts";
import { DEFAULT_REQUEST_OPTIONS, type RequestOptions } from "../requests/options.ts";
import { DEFAULT_ROUTING, type RoutingOptions } from "../routing/options.ts";
import type { HttpTransport } from "../wire/types.ts";
import { createApp } from "./app.ts";
import {
  accessPlatform,
  cutOff,
  type OpenResponses,
  openResponses,
  type ResponsesOptions,
  requiredFiles,
} from "./common.ts";

/** Options of a gateway on any runtime. Omitted routing options have their defaults. */
export interface GatewayOptions extends ResponsesOptions, Partial<RoutingOptions> {
  discovery: Discovery;
  /** Where workers may publish their KV events once for all gateways. Default: they come over the request plane. */
  kvEventStream?: KvEventStream | undefined;
  /** Largest request body in bytes. */
  bodyLimit: number;
  /** Longest time from dispatch to the last token, in milliseconds. */
  timeoutMs: number;
  /** Engines to attach; they need not be up yet. */
  engines?: readonly EngineSpec[];
  /** LoRA adapters to load into all engines. Default: none. */
  loras?: WantedLoras | undefined;
  /** Aliases and fallbacks of models. Default: none. */
  modelNames?: ModelNames | undefined;
  /** Folders or hub ids to read tokenizers from, by model; the empty name is the default. */
  tokenizers?: ReadonlyMap<string, string>;
  health?: Partial<HealthOptions>;
  requestOptions?: Partial<RequestOptions>;
  /** Who may use the gateway, and for what. Default: everyone, for everything. */
  access?: AccessOptions;
  /** Where the admin and operations routes are served; default: on the API's port. */
  admin?: { readonly isGuarded: boolean; readonly port?: number | undefined } | undefined;
  /** The id by which it detects requests that loop back to it; default: random. */
  id?: string | undefined;
  /** Which of OpenAI's fields name a session or tenant; default: none. */
  preferenceDefaults?: PreferenceDefaults;
  /** What is looked for in the text of engines' answers; default: nothing. */
  rescue?: RescueOptions | undefined;
  /** When requests of other APIs are translated to chat completions for engines; default: if one lacks the API. */
  translate?: TranslateWhen | undefined;
  /** Whether Claude Code's billing header is removed from what engines get; default: no. */
  stabilisesPrefix?: boolean | undefined;
  /** Reads the metrics of the gateway's other processes. */
  readOtherMetrics?: (() => Promise<readonly MetricsSnapshot[]>) | undefined;
  log: Logger;
  version: string;
}

/** What a runtime provides. */
export interface Platform {
  readonly routerModule: WebAssembly.Module;
  readonly transport: HttpTransport;
  /** For small requests to engines, if the runtime's own `fetch` is not enough. */
  readonly engineFetch?: typeof fetch | undefined;
  readonly openEventStream: OpenEventStream;
  readonly createEncoder: EncoderFactory;
  /** Undefined without a file system. */
  readonly files: PlatformFiles | undefined;
  /** Default: with web standards alone. */
  readonly byteTools?: ByteTools | undefined;
  /** Fetches media. Default: with `fetch`. */
  readonly openUrl?: OpenUrl | undefined;
  /** Undefined without sockets for KV events: the gateway then predicts what engines hold. */
  readonly openKvFeed: OpenEngineFeed | undefined;
  /** Serves the request plane for other gateways; undefined if there are none. */
  readonly servePeers?: ServePeers | undefined;
  /** Undefined without sockets to reach workers. */
  readonly connectWorker: ConnectWorker | undefined;
  /** Schedules the engines' health checks. Default: in the background. */
  readonly watch?: EngineWatch | undefined;
  /** Whether the engines given at start-up are the only ones; default: /admin/workers can change them. */
  readonly hasFixedEngines?: boolean | undefined;
  /** Whether memory, open files and the event loop of the process can be measured. Default true. */
  readonly hasProcessMetrics?: boolean | undefined;
}

export type ServePeers = Pick<GatewayPeersOptions, "serve" | "defer">;

export interface PlatformFiles {
  /** A file's text; undefined if it does not exist. @throws the system's error if it cannot be read */
  readTextFile(path: string): Promise<string | undefined>;
  /** Undefined if the runtime cannot. */
  openResponses?: OpenResponses;
  /** The folder in which Hugging Face's libraries cache downloads. */
  readonly hubCache: string;
}

export interface Gateway {
  /** Answers a request; `env` holds what the runtime's event stream and transport need. */
  readonly fetch: (request: Request, env?: unknown) => Response | Promise<Response>;
  /** The same for the admin and operations routes, if `admin` gives them their own port. */
  readonly fetchAdmin: Gateway["fetch"];
  readonly models: Models;
  readonly engines: AttachedEngines;
  readonly workers: DiscoveredWorkers;
  readonly access: Access;
  /** From now on, `/health` tells load balancers to send no more requests. */
  beginDrain(): void;
  /** Aborts requests in flight, with an error for their clients. */
  cutOff(): void;
  /** Disconnects from workers and engines. */
  close(): void;
}

/**
 * Creates a gateway; the caller passes requests to its `fetch`.
 * @throws AccessError for an unusable key file, Error if responses cannot be kept, leaving nothing open
 */
export async function createGateway(options: GatewayOptions, platform: Platform): Promise<Gateway> {
  const { log, bodyLimit, timeoutMs, version, engines = [] } = options;
  const {
    policy,
    weights,
    thresholds,
    queue,
    affinity,
    predictions,
    disaggregation,
    limits,
    decisionLog,
    kvEventsKey,
  } = {
    ...DEFAULT_ROUTING,
    ...options,
  };
  const { routerModule, transport, engineFetch, openEventStream, createEncoder, files, openKvFeed } =
    platform;
  const { watch = new BackgroundWatch(), hasFixedEngines = false, hasProcessMetrics = true } = platform;
  const all = createMetrics({ labels: { component: "gateway" }, process: hasProcessMetrics });
  const metrics = createGatewayMetrics(all);
  measureDiscovery(all, options.discovery);
  const opened = await openAccess(options.access ?? {}, accessPlatform(platform), log);
  const responses = await openResponses(options, files, log).catch((error: unknown) => {
    opened.close();
    throw error;
  });
  const id = options.id ?? randomId();
  const via = viaOf(id);
  const { servePeers, connectWorker = noSockets } = platform;
  const peers: GatewayPeers | undefined =
    servePeers &&
    new GatewayPeers({
      ...servePeers,
      discovery: options.discovery,
      id,
      connect: connectWorker,
      modelOf: (name) => models.get(name),
      kvEventsKey: kvEventsKey?.fingerprint,
      log,
    });
  const warmStart = peers?.warmStart;
  if (peers !== undefined) {
    const help = "Other gateways that share their load with this one.";
    all.readGauge("gateway_peers", help, () => peers.count);
    const warm = "Blocks of workers' caches that this gateway took over from another one when it started.";
    all.readGauge("gateway_warm_start_blocks", warm, () => peers.warmStart.blocks);
  }
  const { kvEventStream } = options;
  if (kvEventStream !== undefined) {
    const help = "Whether the stream of KV events can be reached; if not, they come from the workers.";
    all.readGauge("gateway_kv_events_stream_reachable", help, () => Number(kvEventStream.isConnected));
  }
  const routing = {
    ...{ policy, weights, thresholds, queue, affinity, predictions, disaggregation },
    ...{ limits, decisionLog, kvEventsKey },
    others: peers,
  };
  const health = { ...DEFAULT_HEALTH, ...options.health };
  const models: Models = new Models({
    create: (name, blockSize) =>
      new LocalModel(name, blockSize, { routerModule, routing, metrics, log, warmStart }),
    names: options.modelNames,
  });
  const workers = new DiscoveredWorkers({
    catalog: new ModelCatalog(options.discovery, log),
    models,
    connect: connectWorker,
    kvEventStream,
    loadTokenizer: createTokenizerLoader({ readTextFile: requiredFiles(files), createEncoder }),
    kvEventsKey: kvEventsKey?.fingerprint,
    health,
    log,
  });
  const createApi = ({ url, apiKey }: EngineSpec, timeoutMs?: number) =>
    createEngineApi(url, { apiKey, via, fetch: engineFetch, timeoutMs });
  const loadPromptReader = createPromptReaderLoader({
    folders: files && { ...files, createEncoder },
    tokenizers: options.tokenizers ?? new Map(),
    log,
  });
  const attached = new AttachedEngines({
    models,
    log,
    health,
    watch,
    openKvFeed,
    createApi,
    probe: opened.access.isolation === undefined ? probeEngine : probeIsolated,
    loadPromptReader,
    isWorker: (name) => workers.worker(name) !== undefined,
    warmStart,
  });
  const announced = new AnnouncedEncoders({ createApi, log });
  const stopAnnouncing = attached.watch((engine, members) => announced.onEngine(engine, members));
  attached.onHealthy = (engine) => announced.onHealthy(engine);
  const { loras = [] } = options;
  if (loras.length > 0) {
    const wanted = new WantedAdapters(loras, log);
    attached.watch((engine, members) => wanted.onEngine(engine, members));
  }
  const dependencies: OpsDependencies = {
    models,
    engines: attached,
    hasEngines: () => !attached.isEmpty,
    workers,
    transport,
    requestOptions: { ...DEFAULT_REQUEST_OPTIONS, totalMs: timeoutMs, ...options.requestOptions },
    metrics,
    log,
    warnings: new Warnings(log),
    openEventStream,
    via,
    running: new Set(),
    state: { isDraining: false },
    hasFixedEngines,
    diagnose: (waitMs) =>
      diagnose(
        attached.engines.map(({ spec }) => spec),
        {
          routerModule,
          openKvFeed,
          loadPromptReader,
          createApi: (spec) => createApi(spec, waitMs),
          waitMs,
          log,
        },
      ),
    access: opened.access,
    bodyLimit,
    preferenceDefaults: options.preferenceDefaults ?? { session: "none", tenant: "none" },
    rescue: options.rescue ?? NO_RESCUE,
    translate: options.translate ?? "auto",
    stabilisesPrefix: options.stabilisesPrefix ?? false,
    responses,
  };
  const openApi = once(() => openApiDocument(version));
  const showMetrics = createMetricsRoute(dependencies, options.readOtherMetrics);
  const { admin } = options;
  const app = createApp(dependencies, {
    hasApi: true,
    addRoutes(app) {
      addPublicRoutes(app, dependencies, openApi);
      if (admin?.port === undefined) addOpsRoutes(app, dependencies, showMetrics);
      if (admin === undefined) addAdminRoutes(app, dependencies);
    },
  });
  const keys = admin?.isGuarded === false ? undefined : opened.access.keys;
  const hosts = keys === undefined ? ("local" as const) : opened.access.hosts;
  const adminDependencies = { ...dependencies, access: { ...opened.access, keys, hosts } };
  const adminApp = createApp(adminDependencies, {
    hasApi: false,
    addRoutes(app) {
      addPublicRoutes(app, adminDependencies, openApi);
      addOpsRoutes(app, adminDependencies, showMetrics);
      addAdminRoutes(app, adminDependencies);
    },
  });
  const close = () => {
    opened.close();
    responses.close();
    void peers
      ?.close()
      .catch((error) => log.debug("cannot unregister from the other gateways", { reason: String(error) }));
    workers.close();
    // Other gateways may have the same engines.
    stopAnnouncing();
    attached.close();
    transport.close();
  };
  try {
    // Workers and engines that join get what the other gateways know of them.
    await peers?.open();
    await workers.open();
    for (const spec of engines) attached.attach(spec);
  } catch (error) {
    close();
    throw error;
  }
  return {
    fetch: (request, env) => app.fetch(request, env as object | undefined),
    fetchAdmin: (request, env) => adminApp.fetch(request, env as object | undefined),
    models,
    engines: attached,
    workers,
    access: opened.access,
    beginDrain() {
      dependencies.state.isDraining = true;
    },
    cutOff: () => cutOff(dependencies),
    close,
  };
}

/** Creates a value on first use. */
function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

async function noSockets(): Promise<never> {
  throw new Error("This runtime has no sockets to reach workers.");
}
