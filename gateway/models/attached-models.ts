import { type Logger, nearest } from "#runtime";
import type { EngineModel, EngineProfile, KvEventSource } from "../engines/types.ts";
import { ApiError } from "../kernel/errors.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import { AttachedModel, type AttachedModelOptions } from "./attached-model.ts";
import { type EngineReport, reportEngine } from "./engine-report.ts";
import { EngineConnection } from "./members/engine-connection.ts";
import type { EngineConnectionDependencies } from "./members/engine-listener.ts";
import { defaultEngineName, type EngineSpec } from "./members/engine-spec.ts";
import { checkedSpec } from "./members/engine-url.ts";
import type { EngineState } from "./members/engine-watch.ts";
import { EngineWorker } from "./members/engine-worker.ts";
import { ModelTable } from "./model-table.ts";
import type { AttachedTargets, FoundModel, ModelView } from "./model-view.ts";
import { ResourceHomes } from "./resource-homes.ts";

/** An engine that may be asked for tokens while it is ready. */
export type AskableEngine = Pick<EngineConnection, "name" | "api" | "adapter" | "state">;

/** Finds the prompt reader of a model; `engines` tells, at any later moment, who serves it. */
export type PromptReaderLoader = (
  model: EngineModel,
  found: { readonly profile: EngineProfile; readonly sources: readonly KvEventSource[] },
  engines: () => AskableEngine[],
) => Promise<PromptReader>;

export interface AttachedOptions extends AttachedModelOptions, Omit<EngineConnectionDependencies, "log"> {
  log: Logger;
  loadPromptReader: PromptReaderLoader;
}

/** Hears of an engine, and of what stands for it in each of its models. */
export type EngineWatcher = (engine: EngineConnection, workers: readonly EngineWorker[]) => void;

/** How often a draining engine is looked at, in milliseconds. */
const DRAIN_LOOK_MS = 100;

interface Attachment {
  readonly engine: EngineConnection;
  workers: EngineWorker[];
}

/** The attached engines, and the models that they serve. */
export class AttachedModels implements AttachedTargets<ModelView> {
  readonly resources = new ResourceHomes();
  readonly #options: AttachedOptions;
  readonly #attachments = new Map<string, Attachment>();
  readonly #models = new ModelTable<AttachedModel>();
  readonly #watchers = new Set<EngineWatcher>();

  constructor(options: AttachedOptions) {
    this.#options = options;
  }

  /** Every engine, in the order in which they were attached. */
  get engines(): EngineConnection[] {
    return Array.from(this.#attachments.values(), ({ engine }) => engine);
  }

  get isEmpty(): boolean {
    return this.#attachments.size === 0;
  }

  get only(): FoundModel | undefined {
    return this.#models.only;
  }

  list(): AttachedModel[] {
    return this.#models.list();
  }

  views(): ModelView[] {
    return this.list().map((model) => model.view());
  }

  /** What is known of each engine. */
  report(): Promise<EngineReport[]> {
    return Promise.all(this.engines.map((engine) => this.#reportOf(engine)));
  }

  /** The same of one engine, by its name. @throws ApiError 404 for an unknown one */
  async reportOf(name: string): Promise<EngineReport> {
    return this.#reportOf(this.#attachmentOf(name).engine);
  }

  find(name: string): FoundModel | undefined {
    return this.#models.find(name);
  }

  /** The engine of this name. */
  engine(name: string): EngineConnection | undefined {
    return this.#attachments.get(name)?.engine;
  }

  /**
   * Tells of every engine now, and whenever its state or what is known of it has changed.
   * @returns ends it
   */
  watch(watcher: EngineWatcher): () => void {
    this.#watchers.add(watcher);
    for (const { engine, workers } of this.#attachments.values()) watcher(engine, workers);
    return () => this.#watchers.delete(watcher);
  }

  /**
   * Attaches an engine, which need not be up yet.
   * @throws ApiError 400 for what can be no engine, 409 for one that is attached already
   */
  attach(given: EngineSpec): EngineConnection {
    const spec = checkedSpec(given);
    const { url } = spec;
    const name = spec.name ?? defaultEngineName(url);
    for (const { engine } of this.#attachments.values()) {
      if (engine.name !== name && engine.spec.url !== url) continue;
      const message = `The engine '${engine.name}' at ${engine.spec.url} is attached already.`;
      throw new ApiError(409, "invalid_request_error", message, { param: "url", code: "already_attached" });
    }
    const engine = new EngineConnection({ ...spec, name }, this.#options, {
      onLearnt: (profile, isFresh) => this.#learn(attachment, profile, isFresh),
      onState: (state) => this.#onState(attachment, state),
      onSilence: () => {
        for (const worker of attachment.workers) this.#modelOf(worker)?.updateMode(worker);
      },
      hasOthers: () => attachment.workers.every((worker) => this.#modelOf(worker)?.hasOther(worker)),
      onPayload: (payload) => {
        const [worker] = attachment.workers;
        if (worker !== undefined) this.#applyPayload(worker, payload);
      },
      onUnreadable: (what) => engine.noteUnreadable(what),
      onForget: (rank) => {
        for (const worker of attachment.workers) this.#modelOf(worker)?.router.clearWorker(worker, rank);
      },
    });
    const attachment: Attachment = { engine, workers: [] };
    this.#attachments.set(name, attachment);
    engine.open();
    return engine;
  }

  /** Waits until the first look at an engine has told how it is, and for `waitMs` at most. */
  async looked(engine: EngineConnection, waitMs: number): Promise<void> {
    if (engine.state !== "connecting") return;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const look = () => {
        if (engine.state !== "connecting") end();
      };
      const timer = setTimeout(end, waitMs);
      this.#watchers.add(look);
    });
  }

  /**
   * Sends an engine no new requests, and takes it out when those that it is answering have ended.
   * @throws ApiError 404 for an unknown one
   */
  drain(name: string): void {
    const attachment = this.#attachmentOf(name);
    if (attachment.engine.state === "draining") return;
    attachment.engine.drain();
    this.#options.log.info("engine drains", { engine: name, running: this.#runningOn(attachment) });
    const look = () => {
      if (this.#attachments.get(name) !== attachment) return;
      // A request's load is given back in many places: to look now and then costs less than to be told in each.
      if (this.#runningOn(attachment) > 0) setTimeout(look, DRAIN_LOOK_MS);
      else this.detach(name);
    };
    look();
  }

  /**
   * Takes an engine out at once. Requests that it is answering go on to their end.
   * @returns false where there is none of this name
   */
  detach(name: string): boolean {
    const attachment = this.#attachments.get(name);
    if (attachment === undefined) return false;
    this.#takeOut(attachment);
    this.#options.log.info("engine detached", { engine: name });
    return true;
  }

  close(): void {
    for (const attachment of [...this.#attachments.values()]) this.#takeOut(attachment);
  }

  #takeOut(attachment: Attachment): void {
    this.#attachments.delete(attachment.engine.name);
    attachment.engine.close();
    this.#dropWorkers(attachment, true);
  }

  /** Those of its models' workers stay that still stand for what it serves, with what is known of its cache. */
  #learn(attachment: Attachment, profile: EngineProfile, isFresh: boolean): void {
    const { engine } = attachment;
    const before = new Map(isFresh ? [] : attachment.workers.map((worker) => [worker.model.name, worker]));
    const workers = profile.models.map((model) => {
      const worker = before.get(model.name);
      before.delete(model.name);
      if (worker !== undefined) worker.model = model;
      return worker ?? new EngineWorker(engine, profile, model);
    });
    const known = new Set(attachment.workers);
    this.#dropWorkers(attachment, isFresh, new Set(workers));
    attachment.workers = workers;
    for (const worker of workers) if (!known.has(worker)) this.#join(worker, profile);
    this.#tell(attachment);
  }

  #join(worker: EngineWorker, profile: EngineProfile): void {
    const { name } = worker.model;
    const { blockSize } = worker.instance.card;
    const known = this.#models.get(name);
    if (known !== undefined && (known.workers.size > 0 || known.blockSize === blockSize)) {
      known.join(worker);
      return;
    }
    const engines = () => Array.from(this.#models.get(name)?.workers ?? [], ({ engine }) => engine);
    const found = { profile, sources: worker.engine.sources };
    const prompts = this.#options.loadPromptReader(worker.model, found, engines);
    // Whoever waits for the one before waits for this one: the model stays the same.
    if (known !== undefined) {
      known.prompts = prompts;
      known.resize(blockSize);
    }
    const model = known ?? new AttachedModel(name, blockSize, prompts, this.#options);
    this.#models.set(model);
    model.join(worker);
  }

  #applyPayload(worker: EngineWorker, payload: Uint8Array): void {
    const model = this.#modelOf(worker);
    const before = model?.blockSize;
    model?.applyPayload(worker, payload);
    if (model?.blockSize === before) return;
    for (const attachment of this.#attachments.values()) this.#tell(attachment);
  }

  #dropWorkers(
    attachment: Attachment,
    mayReturn: boolean,
    kept: ReadonlySet<EngineWorker> = new Set(),
  ): void {
    for (const worker of attachment.workers) {
      if (kept.has(worker)) continue;
      this.#modelOf(worker)?.leave(worker, mayReturn);
    }
    attachment.workers = [];
  }

  #onState(attachment: Attachment, state: EngineState): void {
    const { engine, workers } = attachment;
    const { log } = this.#options;
    if (state === "ready") {
      const { kind, version, models = [] } = engine.profile ?? {};
      log.info("engine joined", {
        engine: engine.name,
        kind,
        version,
        models: models.map(({ name }) => name).join(", "),
      });
    }
    for (const worker of workers) this.#modelOf(worker)?.router.updateWorker(worker);
    this.#tell(attachment);
  }

  #tell({ engine, workers }: Attachment): void {
    for (const watcher of this.#watchers) watcher(engine, workers);
  }

  #reportOf(engine: EngineConnection): Promise<EngineReport> {
    return reportEngine(engine, (name) => this.#models.get(name)?.prompts);
  }

  #runningOn({ workers }: Attachment): number {
    const loads = workers.flatMap((worker) => this.#modelOf(worker)?.router.loads(worker) ?? []);
    return loads.reduce((sum, { activeRequests }) => sum + activeRequests, 0);
  }

  #attachmentOf(name: string): Attachment {
    const found = this.#attachments.get(name);
    if (found !== undefined) return found;
    const suggestion = nearest(name, [...this.#attachments.keys()]);
    throw new ApiError(
      404,
      "not_found_error",
      `No engine named '${name.slice(0, 200)}' is attached.${suggestion === undefined ? "" : ` Did you mean '${suggestion}'?`} GET /admin/workers lists all.`,
      { param: "name", code: "worker_not_found" },
    );
  }

  #modelOf(worker: EngineWorker): AttachedModel | undefined {
    return this.#models.get(worker.model.name);
  }
}
