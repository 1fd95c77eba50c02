import type { EngineApi, EngineModel } from "../../engines/types.ts";
import type { GatewayMetrics } from "../../kernel/metrics.ts";
import type { PromptReaderLoader } from "../../models/attached-models.ts";
import type { EngineSpec } from "../../models/members/engine-spec.ts";
import { ModelTable } from "../../models/model-table.ts";
import type { AttachedTargets, FoundModel, ListedModel } from "../../models/model-view.ts";
import type { KeptResources } from "../../models/resource-homes.ts";
import type { EngineNews, FrontChannel } from "../messages.ts";
import { FrontEngine, FrontWorker } from "./front-engine.ts";
import { FrontModel } from "./front-model.ts";
import type { RouterLink } from "./router-link.ts";

export interface FrontModelsOptions {
  readonly link: RouterLink;
  readonly channel: FrontChannel;
  readonly metrics: GatewayMetrics;
  readonly loadPromptReader: PromptReaderLoader;
  createApi(spec: EngineSpec): EngineApi;
}

/** An engine, and what it serves. */
interface Member {
  readonly engine: FrontEngine;
  readonly workers: readonly FrontWorker[];
  /** Changes when the engine has been learnt anew. */
  readonly ids: string;
}

/** The attached engines and their models, as the router process tells of them. */
export class FrontModels implements AttachedTargets {
  readonly resources: KeptResources;
  readonly #options: FrontModelsOptions;
  readonly #members = new Map<string, Member>();
  readonly #models = new ModelTable<FrontModel>();

  constructor(options: FrontModelsOptions) {
    this.#options = options;
    const { link, channel } = options;
    this.resources = {
      find: (resource) => link.find(resource),
      remember: (resource, engine) => channel.send({ type: "remember", resource, engine }),
    };
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  get only(): FoundModel | undefined {
    return this.#models.only;
  }

  list(): FrontModel[] {
    return this.#models.list();
  }

  views(): ListedModel[] {
    return this.list().map(({ name, aliases, adapters, contextLength, created }) => ({
      name,
      aliases,
      adapters,
      contextLength,
      created,
    }));
  }

  find(name: string): FoundModel | undefined {
    return this.#models.find(name);
  }

  /** An engine has come, or something of it has changed. */
  onEngine(news: EngineNews): void {
    const ids = news.models.map(({ instance }) => instance.id).join(" ");
    const before = this.#members.get(news.name);
    if (before?.ids === ids) {
      const wasReady = before.engine.isReady;
      before.engine.isReady = news.isReady;
      if (wasReady && news.hungFor !== undefined) before.engine.hangs.tell(news.hungFor);
      for (const worker of before.workers) worker.model = modelNamed(news, worker.model.name);
      for (const { name, blockSize } of news.models) this.#models.get(name)!.blockSize = blockSize;
      return;
    }
    if (before !== undefined) this.#drop(before);
    const { name, url, apiKey } = news;
    const engine = new FrontEngine(
      news,
      this.#options.createApi({ name, url, apiKey }),
      this.#options.channel,
    );
    const workers = news.models.map((model) => this.#join(engine, news, model));
    this.#members.set(name, { engine, workers, ids });
  }

  onEngineGone(name: string): void {
    const member = this.#members.get(name);
    if (member === undefined) return;
    this.#drop(member);
    this.#members.delete(name);
  }

  #join(
    engine: FrontEngine,
    news: EngineNews,
    { name, blockSize, instance }: EngineNews["models"][number],
  ): FrontWorker {
    const worker = new FrontWorker(engine, instance, modelNamed(news, name));
    this.#modelOf(worker.model, blockSize, news).workers.add(worker);
    return worker;
  }

  #modelOf(
    model: EngineModel,
    blockSize: number,
    found: Pick<EngineNews, "profile" | "sources">,
  ): FrontModel {
    const { name } = model;
    const known = this.#models.get(name);
    const { link, metrics, loadPromptReader } = this.#options;
    const loadPrompts = () =>
      loadPromptReader(model, found, () =>
        Array.from(this.#models.get(name)?.workers ?? [], ({ engine }) => engine),
      );
    if (known !== undefined) {
      if (known.workers.size === 0 && known.blockSize !== blockSize) known.prompts = loadPrompts();
      known.blockSize = blockSize;
      return known;
    }
    const prompts = loadPrompts();
    const made = new FrontModel({ name, blockSize, prompts, metrics: metrics.forModel(name) }, link);
    this.#models.set(made);
    return made;
  }

  #drop({ workers }: Member): void {
    for (const worker of workers) {
      const model = this.#models.get(worker.model.name);
      model?.workers.delete(worker);
      model?.left.add(worker.instance, performance.now());
    }
  }
}

/** A model of the engine; the router process tells of no others. */
const modelNamed = ({ profile }: EngineNews, name: string) =>
  profile.models.find((model) => model.name === name)!;
