import type { EngineApi, EngineModel } from "../../engines/types.ts";
import type { EngineSpec } from "../../models/members/engine-spec.ts";
import type { Models } from "../../models/models.ts";
import type { PromptReaderLoader } from "../../models/sources/attached-engines.ts";
import type { RoutedCard } from "../../routing/workers.ts";
import type { AcceptorChannel, EngineNews } from "../messages.ts";
import { RemoteEngine, RemoteMember } from "./remote-engine.ts";
import type { RemoteModel } from "./remote-model.ts";

export interface RemoteEnginesOptions {
  readonly models: Models<RemoteModel>;
  readonly channel: AcceptorChannel;
  readonly loadPromptReader: PromptReaderLoader;
  createApi(spec: EngineSpec): EngineApi;
}

/** An engine and its models. */
interface Member {
  readonly engine: RemoteEngine;
  readonly workers: readonly RemoteMember[];
  /** Changes when the engine has been probed again and its state reset. */
  readonly ids: string;
}

/** The attached engines, as reported by the router process; each is a member of its models. */
export class RemoteEngines {
  readonly #options: RemoteEnginesOptions;
  readonly #members = new Map<string, Member>();

  constructor(options: RemoteEnginesOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** An engine was added or has changed. */
  onEngine(news: EngineNews): void {
    const ids = news.models.map(({ instance }) => instance.id).join(" ");
    const before = this.#members.get(news.name);
    if (before?.ids === ids) {
      const wasReady = before.engine.isReady;
      before.engine.isReady = news.isReady;
      if (wasReady && news.hungFor !== undefined) before.engine.hangs.notify(news.hungFor);
      if (news.isEvicting) before.engine.evictions.notify("it is leaving");
      for (const worker of before.workers) worker.model = modelNamed(news, worker.model.name);
      for (const { name, blockSize } of news.models) this.#options.models.get(name)!.blockSize = blockSize;
      return;
    }
    if (before !== undefined) this.#drop(before);
    const { name, url, apiKey } = news;
    const engine = new RemoteEngine(
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
    engine: RemoteEngine,
    news: EngineNews,
    { name, blockSize, instance }: EngineNews["models"][number],
  ): RemoteMember {
    const worker = new RemoteMember(engine, instance, modelNamed(news, name));
    this.#modelOf(worker.model, blockSize, { ...news, ...instance.card }).join(worker);
    return worker;
  }

  #modelOf(
    model: EngineModel,
    blockSize: number,
    { role, ...found }: Pick<EngineNews, "profile" | "sources"> & Pick<RoutedCard, "role">,
  ): RemoteModel {
    const { models, loadPromptReader } = this.#options;
    const known = models.open(model.name, blockSize);
    // The router process has decided on the size.
    const isOther = known.isEmpty && known.blockSize !== blockSize;
    if (role !== "encode" && (known.engines.prompts === undefined || isOther)) {
      const engines = () => known.engines.members().map(({ engine }) => engine);
      known.engines.prompts = loadPromptReader(model, found, engines);
    }
    known.blockSize = blockSize;
    return known;
  }

  #drop({ workers }: Member): void {
    for (const worker of workers) this.#options.models.get(worker.model.name)?.leave(worker, true);
  }
}

/** The engine's model of this name; the router process only names models in the profile. */
const modelNamed = ({ profile }: EngineNews, name: string) =>
  profile.models.find((model) => model.name === name)!;
