import type { Instance, Logger, ModelCard } from "#runtime";
import { noWorkerReady } from "../kernel/errors.ts";
import type { GatewayMetrics, ModelMetrics } from "../kernel/metrics.ts";
import { WrongCard } from "../kernel/wrong-card.ts";
import { type ChatTemplate, createChatTemplate } from "../prompts/chat-template.ts";
import type { TokenizerLoader } from "../prompts/tokenizers/tokenizer-loader.ts";
import { ModelRouter } from "../routing/model-router.ts";
import type { RoutingOptions } from "../routing/options.ts";
import { Admission } from "../routing/queue/admission.ts";
import type { RouteSource } from "../routing/queue/route-source.ts";
import { RecentlyLeft } from "../routing/recently-left.ts";
import { areAlike, type CatalogModel, type ModelCatalog, type RefusedWorker } from "./catalog.ts";
import { WorkerConnection, type WorkerHealthOptions } from "./members/worker-connection.ts";
import type { ModelView, WorkerView } from "./model-view.ts";
import type { ServedModel } from "./served-model.ts";
import { SlowStart } from "./slow-start.ts";

export interface ServingOptions {
  catalog: ModelCatalog;
  routerModule: WebAssembly.Module;
  routing: RoutingOptions;
  loadTokenizer: TokenizerLoader;
  health: WorkerHealthOptions;
  metrics: GatewayMetrics;
  log: Logger;
}

/** What has been made ready for a model of the catalog. */
interface Serving {
  model: CatalogModel;
  readonly router: ModelRouter<WorkerConnection>;
  readonly queue: Admission<WorkerConnection>;
  readonly admission: RouteSource<WorkerConnection>;
  readonly metrics: ModelMetrics;
  readonly workers: Map<Instance, WorkerConnection>;
  readonly left: RecentlyLeft;
  /** Set once tokenizer and template are loaded. */
  served: ServedModel | undefined;
  isLoading: boolean;
}

/** Keeps a connection to every worker and makes each model of the catalog ready to be asked. */
export class ServedModels {
  readonly #options: ServingOptions;
  readonly #serving = new Map<string, Serving>();

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  /** Begins to follow the catalog. */
  open(): Promise<void> {
    return this.#options.catalog.open({
      onJoin: (instance, model, isFirst) =>
        this.#join(instance, isFirst ? this.#begin(model) : this.#of(model)),
      onLeave: (instance, model) => this.#leave(instance, this.#of(model)),
    });
  }

  close(): void {
    this.#options.catalog.close();
    for (const { workers } of this.#serving.values()) {
      for (const worker of workers.values()) worker.close();
      workers.clear();
    }
  }

  /** Every model with workers, ready or not. */
  list(): ModelView[] {
    return this.#options.catalog.list().map((model) => {
      const { served, workers, router, queue } = this.#of(model);
      const all = Array.from(workers.values(), (worker) => viewOf(worker, router));
      return {
        name: model.name,
        aliases: model.card.aliases,
        adapters: [],
        contextLength: model.card.contextLength,
        created: model.card.created,
        workers: all,
        isReady: served !== undefined && all.some(({ canServe }) => canServe),
        router,
        waiting: queue.waiting,
      };
    });
  }

  /** Workers that have come, and are not used. */
  refused(): RefusedWorker[] {
    return this.#options.catalog.refused();
  }

  /**
   * The model of this name or alias.
   * @throws ApiError 503 for one that cannot answer yet
   */
  find(name: string): ServedModel | undefined {
    const model = this.#options.catalog.find(name);
    if (model === undefined) return undefined;
    const { served, workers } = this.#of(model);
    const isReady = Array.from(workers.values()).some(({ canServe }) => canServe);
    if (served === undefined || !isReady) throw noWorkerReady(model.name);
    return served;
  }

  /** A model has its first worker. Where it had others before, whoever waits for one waits for this one. */
  #begin(model: CatalogModel): Serving {
    const before = this.#serving.get(model.name);
    if (before === undefined) return this.#create(model, new RecentlyLeft());
    const { card } = before.model;
    if (areAlike(card, model.card)) {
      before.model = model;
      if (!isSame(card, model.card)) before.served = undefined;
      return before;
    }
    // Prompts that wait are in tokens that the new worker would take for others.
    before.queue.refuseAll(noWorkerReady(model.name));
    return this.#create(model, before.left);
  }

  #create(model: CatalogModel, left: RecentlyLeft): Serving {
    const { routerModule, routing, log } = this.#options;
    const { name, card } = model;
    const metrics = this.#options.metrics.forModel(name);
    const router = new ModelRouter<WorkerConnection>(
      routerModule,
      card.blockSize,
      routing,
      metrics.routing,
      log,
    );
    router.onAdmitted = (worker) => worker.onAdmitted();
    router.onUnreadable = (worker, what) => worker.noteUnreadable(what);
    const queue = new Admission(name, router, routing.queue, metrics.routing);
    const workers = new Map<Instance, WorkerConnection>();
    const serving: Serving = {
      model,
      router,
      queue,
      admission: new SlowStart(queue, () => workers.values()),
      metrics,
      workers,
      left,
      served: undefined,
      isLoading: false,
    };
    this.#serving.set(name, serving);
    return serving;
  }

  #of(model: CatalogModel): Serving {
    return this.#serving.get(model.name) ?? this.#begin(model);
  }

  #join(instance: Instance, serving: Serving): void {
    const { log, health } = this.#options;
    const listener = {
      onChange: () => void this.#prepare(serving),
      hasOthers: () => [...serving.workers.values()].some((other) => other !== worker && other.canServe),
    };
    const worker = new WorkerConnection(instance, serving.router, { log, health, listener });
    serving.workers.set(instance, worker);
    worker.open();
  }

  #leave(instance: Instance, serving: Serving): void {
    serving.workers.get(instance)?.close();
    serving.workers.delete(instance);
    serving.left.add(instance, performance.now());
    this.#options.log.info("worker left", { worker: instance.name, model: serving.model.name });
  }

  /** Loads tokenizer and template as soon as a worker can be asked for them, and again if that failed. */
  async #prepare(serving: Serving): Promise<void> {
    const { log, loadTokenizer } = this.#options;
    const { model, router, admission, left, metrics } = serving;
    const isReady = Array.from(serving.workers.values()).some((worker) => worker.state === "ready");
    if (!isReady || serving.served !== undefined || serving.isLoading) return;
    serving.isLoading = true;
    let isAnew = false;
    try {
      const { card, name } = model;
      const tokenizer = await loadTokenizer(card, () => this.#workersWithTokenizer(card.tokenizer.sha256));
      const template = templateOf(card);
      const members = () => router.workers.all();
      // Another card may have come meanwhile.
      if (serving.model !== model) return;
      const { blockSize } = card;
      serving.served = { name, blockSize, card, admission, members, left, tokenizer, template, metrics };
      log.info("model is ready", { model: name, context: card.contextLength, blockSize: card.blockSize });
    } catch (error) {
      isAnew = this.#refuse(error, serving);
      if (!isAnew) log.error("cannot prepare a model", { model: model.name, reason: String(error) });
    } finally {
      serving.isLoading = false;
      if (serving.model !== model || isAnew) void this.#prepare(serving);
    }
  }

  /** Takes out the worker whose card is wrong; false where that is not what is wrong. */
  #refuse(error: unknown, { workers }: Serving): boolean {
    if (!(error instanceof WrongCard)) return false;
    const instance = error.instance ?? workers.keys().next().value;
    if (instance !== undefined) this.#options.catalog.refuse(instance, error.fault);
    return instance !== undefined;
  }

  #workersWithTokenizer(sha256: string): WorkerConnection[] {
    const all = Array.from(this.#serving.values()).flatMap((serving) => [...serving.workers.values()]);
    return all.filter((worker) => worker.instance.card.tokenizer.sha256 === sha256);
  }
}

/** @throws WrongCard where it is no template */
function templateOf({ chatTemplate, specialTokens }: ModelCard): ChatTemplate {
  try {
    return createChatTemplate(chatTemplate, specialTokens);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WrongCard({ field: "chatTemplate", reason });
  }
}

/** Whether nothing differs but when they were made. */
const isSame = (one: ModelCard, other: ModelCard) =>
  JSON.stringify({ ...one, created: 0 }) === JSON.stringify({ ...other, created: 0 });

function viewOf(worker: WorkerConnection, router: ModelRouter<WorkerConnection>): WorkerView {
  const { instance, status, canServe, isShutOut } = worker;
  return { instance, status, canServe, isShutOut, loads: () => router.loads(worker) };
}
