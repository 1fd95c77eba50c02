import {
  createMetrics,
  type Discovery,
  type Logger,
  type MetricsSnapshot,
  measureDiscovery,
  randomId,
} from "#runtime";
import type { Access } from "../access/guard.ts";
import type { ResolveHost } from "../access/media.ts";
import { type AccessOptions, openAccess } from "../access/open-access.ts";
import type { OpsDependencies } from "../api/dependencies.ts";
import type { PreferenceDefaults } from "../api/openai/preferences.ts";
import { createMetricsRoute } from "../api/ops/metrics.ts";
import { openApiDocument } from "../api/ops/openapi.ts";
import { addAdminRoutes, addOpsRoutes, addPublicRoutes } from "../api/ops/routes.ts";
import { diagnose } from "../doctor/index.ts";
import { createEngineApi, probeEngine } from "../engines/index.ts";
import type { OpenEngineFeed } from "../feeds/feed.ts";
import type { OpenEventStream } from "../kernel/event-stream.ts";
import { viaOf } from "../kernel/loops.ts";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import { Warnings } from "../kernel/warnings.ts";
import { LocalModel } from "../models/local-model.ts";
import { DEFAULT_HEALTH, type EngineSpec, type HealthOptions } from "../models/members/engine-spec.ts";
import { BackgroundWatch, type EngineWatch } from "../models/members/engine-watch.ts";
import type { ConnectWorker } from "../models/members/worker-connection.ts";
import type { ModelNames } from "../models/models.ts";
import { Models } from "../models/models.ts";
import { createPromptReaderLoader } from "../models/prompt-readers.ts";
import { AttachedEngines } from "../models/sources/attached-engines.ts";
import { ModelCatalog } from "../models/sources/catalog.ts";
import { DiscoveredWorkers } from "../models/sources/discovered-workers.ts";
import type { EncoderFactory } from "../prompts/tokenizers/huggingface.ts";
import { createTokenizerLoader } from "../prompts/tokenizers/tokenizer-loader.ts";
import { DEFAULT_REQUEST_OPTIONS, type RequestOptions } from "../requests/options.ts";
import { DEFAULT_ROUTING, type RoutingOptions } from "../routing/options.ts";
import type { HttpTransport } from "../wire/types.ts";
import { createApp } from "./app.ts";
import { cutOff, requiredFiles } from "./common.ts";

/** What a gateway does, on any runtime. What of routing is left out has its default. */
export interface GatewayOptions extends Partial<RoutingOptions> {
  discovery: Discovery;
  /** Largest request body in bytes. */
  bodyLimit: number;
  /** Longest time from dispatch to the last token, in milliseconds. */
  timeoutMs: number;
  /** Engines to attach, which need not be up yet. */
  engines?: readonly EngineSpec[];
  /** Names that the operator gives to models. Default: none. */
  modelNames?: ModelNames | undefined;
  /** Folders or hub ids to read tokenizers from, by model; the empty name stands for all. */
  tokenizers?: ReadonlyMap<string, string>;
  health?: Partial<HealthOptions>;
  requestOptions?: Partial<RequestOptions>;
  /** Who may come in, and what for. Default: everybody, for everything. */
  access?: AccessOptions;
  /** Where the routes are that run the gateway; default: beside the API. */
  admin?: { readonly isGuarded: boolean; readonly port?: number | undefined } | undefined;
  /** By which it knows requests of its own when they come back; default: a random one. */
  id?: string | undefined;
  /** Which of OpenAI's fields stand for a session or tenant; default: none. */
  preferenceDefaults?: PreferenceDefaults;
  /** What further processes of the same gateway have measured. */
  readMetricsElsewhere?: (() => Promise<readonly MetricsSnapshot[]>) | undefined;
  log: Logger;
  version: string;
}

/** What a runtime brings with it. */
export interface Platform {
  readonly routerModule: WebAssembly.Module;
  readonly transport: HttpTransport;
  /** For small requests to engines, where the runtime's own does not do. */
  readonly engineFetch?: typeof fetch | undefined;
  readonly openEventStream: OpenEventStream;
  readonly createEncoder: EncoderFactory;
  /** Absent where there is no file system. */
  readonly files: PlatformFiles | undefined;
  /** Addresses that a host's name stands for. Absent where the runtime cannot tell. */
  readonly resolveHost?: ResolveHost | undefined;
  /** Absent where there are no sockets to follow KV events by: what engines hold is predicted there. */
  readonly openKvFeed: OpenEngineFeed | undefined;
  /** Absent where there are no sockets to reach workers by. */
  readonly connectWorker: ConnectWorker | undefined;
  /** When engines are looked at. Default: in the background. */
  readonly watch?: EngineWatch | undefined;
  /** Whether engines are those given at the start and no others; default: /admin/workers changes them. */
  readonly hasFixedEngines?: boolean | undefined;
  /** Whether memory, open files and the event loop of the process can be measured. Default true. */
  readonly hasProcessMetrics?: boolean | undefined;
}

export interface PlatformFiles {
  /** Text of a file; undefined where there is none. @throws the system's error where it cannot be read */
  readTextFile(path: string): Promise<string | undefined>;
  /** Where Hugging Face's libraries keep what they have fetched. */
  readonly hubCache: string;
}

export interface Gateway {
  /** Answers a request; `env` is what the runtime's event stream and transport need of it. */
  readonly fetch: (request: Request, env?: unknown) => Response | Promise<Response>;
  /** The same for the routes that run the gateway, where `admin` says that they are elsewhere. */
  readonly fetchAdmin: Gateway["fetch"];
  readonly models: Models;
  readonly engines: AttachedEngines;
  readonly workers: DiscoveredWorkers;
  readonly access: Access;
  /** From now on `/health` tells load balancers to send no more. */
  beginDrain(): void;
  /** Ends the requests that engines are answering, with an error that their clients can read. */
  cutOff(): void;
  /** Lets go of workers and engines. */
  close(): void;
}

/**
 * Puts a gateway together; whoever calls brings it requests.
 * @throws AccessError where the file of keys cannot be used; then nothing is left open
 */
export async function createGateway(options: GatewayOptions, platform: Platform): Promise<Gateway> {
  const { log, bodyLimit, timeoutMs, version, engines = [] } = options;
  const { policy, weights, thresholds, queue, affinity, predictions, limits, decisionLog } = {
    ...DEFAULT_ROUTING,
    ...options,
  };
  const routing = { policy, weights, thresholds, queue, affinity, predictions, limits, decisionLog };
  const {
    routerModule,
    transport,
    engineFetch,
    openEventStream,
    createEncoder,
    files,
    openKvFeed,
    connectWorker = noSockets,
  } = platform;
  const { watch = new BackgroundWatch(), hasFixedEngines = false, hasProcessMetrics = true } = platform;
  const all = createMetrics({ labels: { component: "gateway" }, process: hasProcessMetrics });
  const metrics = createGatewayMetrics(all);
  measureDiscovery(all, options.discovery);
  const opened = await openAccess(
    options.access ?? {},
    { readTextFile: files?.readTextFile, resolveHost: platform.resolveHost },
    log,
  );
  const via = viaOf(options.id ?? randomId());
  const health = { ...DEFAULT_HEALTH, ...options.health };
  const models = new Models({
    create: (name, blockSize) => new LocalModel(name, blockSize, { routerModule, routing, metrics, log }),
    names: options.modelNames,
  });
  const workers = new DiscoveredWorkers({
    catalog: new ModelCatalog(options.discovery, log),
    models,
    connect: connectWorker,
    loadTokenizer: createTokenizerLoader({ readTextFile: requiredFiles(files), createEncoder }),
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
    probe: probeEngine,
    loadPromptReader,
  });
  const dependencies: OpsDependencies = {
    models,
    engines: attached,
    hasEngines: () => !attached.isEmpty,
    refusedWorkers: () => workers.refused(),
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
  };
  const openApi = once(() => openApiDocument(version));
  const showMetrics = createMetricsRoute(dependencies, options.readMetricsElsewhere);
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
    workers.close();
    attached.close();
    transport.close();
  };
  try {
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

/** What takes a while or a place to make, made when somebody asks for it. */
function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

async function noSockets(): Promise<never> {
  throw new Error("This runtime has no sockets to reach workers by.");
}
