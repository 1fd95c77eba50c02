import { createMetrics, type Discovery, type Logger, Warnings } from "#runtime";
import { type AccessOptions, openAccess } from "../access/open-access.ts";
import type { PreferenceDefaults } from "../api/openai/preferences.ts";
import { NO_RESCUE, type RescueOptions } from "../api/rescue/options.ts";
import type { TranslateWhen } from "../api/translation/when.ts";
import { createEngineApi } from "../engines/index.ts";
import { viaOf } from "../kernel/loops.ts";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import { DEFAULT_HEALTH } from "../models/members/engine-spec.ts";
import type { ModelNames } from "../models/models.ts";
import { Models } from "../models/models.ts";
import { createPromptReaderLoader } from "../models/prompt-readers.ts";
import { ModelCatalog } from "../models/sources/catalog.ts";
import { DiscoveredWorkers } from "../models/sources/discovered-workers.ts";
import { createTokenizerLoader } from "../prompts/tokenizers/tokenizer-loader.ts";
import { RemoteEngines } from "../remote/acceptor/remote-engines.ts";
import { RemoteModel } from "../remote/acceptor/remote-model.ts";
import { RouterLink, type RouterNews } from "../remote/acceptor/router-link.ts";
import { fromAskedAnswer, toAskedRequest } from "../remote/conversions.ts";
import type { AcceptorChannel } from "../remote/messages.ts";
import type { Stoppable } from "../requests/life.ts";
import { DEFAULT_REQUEST_OPTIONS, type RequestOptions } from "../requests/options.ts";
import { createApp } from "./app.ts";
import { accessPlatform, cutOff, openResponses, type ResponsesOptions, requiredFiles } from "./common.ts";
import type { Gateway, Platform } from "./create-gateway.ts";

/** Options of an acceptor; the router process has the others. */
export interface AcceptorOptions extends ResponsesOptions {
  /** The id of the gateway, which all its processes share. */
  readonly id: string;
  readonly bodyLimit: number;
  readonly timeoutMs: number;
  readonly tokenizers: ReadonlyMap<string, string>;
  readonly modelNames?: ModelNames;
  readonly requestOptions: Partial<RequestOptions>;
  readonly access: AccessOptions;
  readonly preferenceDefaults: PreferenceDefaults;
  readonly rescue?: RescueOptions | undefined;
  readonly translate: TranslateWhen;
  readonly stabilisesPrefix: boolean;
  readonly log: Logger;
  /** Where workers register, if the gateway has any. */
  readonly discovery?: Discovery | undefined;
  /** The gateway is about to stop. */
  onDraining?(): void;
}

export type AcceptorPlatform = Pick<
  Platform,
  | "transport"
  | "engineFetch"
  | "openEventStream"
  | "createEncoder"
  | "files"
  | "byteTools"
  | "openUrl"
  | "connectWorker"
>;

export interface Acceptor extends Pick<Gateway, "fetch" | "close" | "cutOff"> {
  /** The router process has exited. */
  onRouterGone(): void;
}

/**
 * Creates an acceptor, one of several processes that serve one port: it reads requests, sends them to the engine that
 * the router process chooses, and passes on the answers.
 * @throws AccessError for an unusable key file, Error if responses cannot be kept
 */
export async function createAcceptor(
  options: AcceptorOptions,
  channel: AcceptorChannel,
  platform: AcceptorPlatform,
): Promise<Acceptor> {
  const { log, bodyLimit, timeoutMs, tokenizers, preferenceDefaults } = options;
  const { transport, engineFetch, openEventStream, createEncoder, files } = platform;
  const metrics = createGatewayMetrics(createMetrics({ labels: { component: "gateway" } }));
  const opened = await openAccess(options.access, accessPlatform(platform), log);
  const responses = await openResponses(options, files, log).catch((error: unknown) => {
    opened.close();
    throw error;
  });
  const { keys, inflight } = opened.access;
  const link = new RouterLink(channel);
  const via = viaOf(options.id);
  const running = new Set<Stoppable>();
  const models = new Models({
    create: (name, blockSize) => new RemoteModel(name, blockSize, metrics.forModel(name), link),
    names: options.modelNames,
    resources: {
      find: (resource) => link.find(resource),
      remember: (resource, engine) => channel.send({ type: "remember", resource, engine }),
    },
  });
  const engines = new RemoteEngines({
    models,
    channel,
    loadPromptReader: createPromptReaderLoader({
      folders: files && { ...files, createEncoder },
      tokenizers,
      log,
    }),
    createApi: ({ url, apiKey }) => createEngineApi(url, { apiKey, via, fetch: engineFetch }),
  });
  const workers = await watchWorkers(options, channel, models, platform);
  if (keys !== undefined) keys.onUse = (use) => channel.send({ type: "used", ...use });
  if (inflight.limit < Number.POSITIVE_INFINITY)
    inflight.onChange = (count) => channel.send({ type: "inflight", count });
  link.open(onNews, (message, error) =>
    log.error("cannot handle a message from the router process", { message, error }),
  );
  function onNews(news: RouterNews): void {
    switch (news.type) {
      case "engine":
        engines.onEngine(news.engine);
        break;
      case "engine-gone":
        engines.onEngineGone(news.name);
        break;
      case "used":
        keys?.useElsewhere(news);
        break;
      case "inflight-elsewhere":
        inflight.elsewhere = news.count;
        break;
      case "draining":
        options.onDraining?.();
        break;
      case "read-metrics":
        void sendMetrics(news.id);
    }
  }
  async function sendMetrics(id: number): Promise<void> {
    channel.send({ type: "metrics", id, metrics: await metrics.all.registry.getMetricsAsJSON() });
  }
  const app = createApp(
    {
      models,
      hasEngines: () => !engines.isEmpty,
      transport,
      requestOptions: { ...DEFAULT_REQUEST_OPTIONS, totalMs: timeoutMs, ...options.requestOptions },
      metrics,
      log,
      warnings: new Warnings(log),
      openEventStream,
      via,
      running,
      access: opened.access,
      bodyLimit,
      preferenceDefaults,
      rescue: options.rescue ?? NO_RESCUE,
      translate: options.translate,
      stabilisesPrefix: options.stabilisesPrefix,
      responses,
    },
    {
      hasApi: true,
      answerElsewhere: async (request) =>
        fromAskedAnswer(await link.ask(await toAskedRequest(request, bodyLimit))),
    },
  );
  return {
    fetch: (request, env) => app.fetch(request, env as object | undefined),
    onRouterGone: () => link.close(),
    cutOff: () => cutOff({ running, log }),
    close() {
      opened.close();
      responses.close();
      workers?.close();
      transport.close();
    },
  };
}

/** Each acceptor connects to workers itself; the router process judges their health. */
async function watchWorkers(
  { discovery, log }: AcceptorOptions,
  channel: AcceptorChannel,
  models: Models<RemoteModel>,
  { files, createEncoder, connectWorker }: AcceptorPlatform,
): Promise<DiscoveredWorkers | undefined> {
  if (discovery === undefined || connectWorker === undefined) return undefined;
  const workers = new DiscoveredWorkers({
    catalog: new ModelCatalog(discovery, log),
    models,
    connect: connectWorker,
    loadTokenizer: createTokenizerLoader({ readTextFile: requiredFiles(files), createEncoder }),
    health: DEFAULT_HEALTH,
    outcomes: {
      onSuccess: (member) => channel.send({ type: "success", member }),
      onFailure: (member, reason) => channel.send({ type: "failure", member, reason, isUnreachable: false }),
    },
    followsEvents: false,
    log,
  });
  await workers.open();
  return workers;
}
