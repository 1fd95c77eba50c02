import { type Instance, type ModelCard, messageOf } from "#runtime";
import { InvalidCardError, noWorkerReady } from "../../kernel/errors.ts";
import { NO_PARSER } from "../../parsers/formats.ts";
import { type ChatTemplate, createChatTemplate } from "../../prompts/chat-template.ts";
import type { TokenizerLoader } from "../../prompts/tokenizers/tokenizer-loader.ts";
import { missingRole } from "../../routing/filters/role.ts";
import { WorkerConnection, type WorkerConnectionOptions } from "../members/worker-connection.ts";
import { type Model, WorkerSide } from "../model.ts";
import type { Models } from "../models.ts";
import { reportWorker, type WorkerReport } from "../worker-report.ts";
import { areCompatible, type CatalogModel, type ModelCatalog, type RefusedWorker } from "./catalog.ts";

export interface DiscoveredWorkersOptions
  extends Pick<WorkerConnectionOptions, "log" | "health" | "connect" | "outcomes" | "kvEventStream"> {
  readonly catalog: ModelCatalog;
  readonly models: Models<Model>;
  /** Whether to subscribe to workers' KV events. Default: true. */
  readonly followsEvents?: boolean;
  /** Fingerprint of the key with which private KV events can be read. */
  readonly kvEventsKey?: string | undefined;
  readonly loadTokenizer: TokenizerLoader;
}

/** The state of one model of the catalog. */
interface Serving {
  /** The catalog's current entry. */
  listed: CatalogModel;
  readonly model: Model;
  readonly workers: Map<Instance, WorkerConnection>;
  isLoading: boolean;
  /** What the log has said of it. */
  reported: "ready" | "no-decode" | undefined;
}

/** Keeps a connection to every worker in discovery, and adds it to its model. */
export class DiscoveredWorkers {
  readonly #options: DiscoveredWorkersOptions;
  readonly #serving = new Map<string, Serving>();
  readonly #byName = new Map<string, WorkerConnection>();

  constructor(options: DiscoveredWorkersOptions) {
    this.#options = options;
  }

  /** Starts watching the catalog. */
  open(): Promise<void> {
    return this.#options.catalog.open({
      onJoin: (instance, listed, isFirst) =>
        this.#join(instance, isFirst ? this.#begin(listed) : this.#of(listed)),
      onLeave: (instance, listed) => this.#leave(instance, this.#of(listed)),
      onDrain: (instance, withinMs) => this.#drain(instance, withinMs),
      isConnected: (instance) => this.#connectionOf(instance)?.client !== undefined,
    });
  }

  close(): void {
    this.#options.catalog.close();
    for (const { workers } of this.#serving.values()) {
      for (const worker of workers.values()) worker.close();
      workers.clear();
    }
  }

  /** The worker of this name. */
  worker(name: string): WorkerConnection | undefined {
    return this.#byName.get(name);
  }

  /** All workers, connected or not. */
  all(): WorkerConnection[] {
    return Array.from(this.#serving.values()).flatMap(({ workers }) => [...workers.values()]);
  }

  report(): WorkerReport[] {
    return this.all().map((worker) => this.#reportOf(worker));
  }

  /** The report of the worker of this name. */
  reportOf(name: string): WorkerReport | undefined {
    const worker = this.worker(name);
    return worker && this.#reportOf(worker);
  }

  #reportOf(worker: WorkerConnection): WorkerReport {
    return reportWorker(worker, this.#serving.get(worker.instance.card.name)?.model.workers !== undefined);
  }

  /** Registered workers that are not used. */
  refused(): RefusedWorker[] {
    return this.#options.catalog.refused();
  }

  /** A model has its first worker. If it had others before, requests queued for them wait for this one. */
  #begin(listed: CatalogModel): Serving {
    const { name, card } = listed;
    const before = this.#serving.get(name);
    if (before === undefined) {
      const model = this.#options.models.open(name, card.blockSize);
      const serving: Serving = { listed, model, workers: new Map(), isLoading: false, reported: undefined };
      this.#serving.set(name, serving);
      return serving;
    }
    const { card: old } = before.listed;
    const { model } = before;
    before.listed = listed;
    if (!isSame(old, card)) {
      model.workers = undefined;
      before.reported = undefined;
    }
    // To the new worker, the tokens of queued prompts would mean something else.
    if (!areCompatible(old, card) && model.isEmpty) model.refuseWaiting(noWorkerReady(name));
    return before;
  }

  #of(listed: CatalogModel): Serving {
    return this.#serving.get(listed.name) ?? this.#begin(listed);
  }

  #join(instance: Instance, serving: Serving): void {
    const { log, health, connect, outcomes, followsEvents = true } = this.#options;
    const { kvEventsKey, kvEventStream } = this.#options;
    const { model } = serving;
    const worker = new WorkerConnection(instance, {
      log,
      health,
      connect,
      outcomes,
      followsEvents,
      kvEventsKey,
      kvEventStream,
      listener: {
        onState: () => {
          this.#warnOfNamesake(worker);
          model.update(worker);
          void this.#prepare(serving);
          this.#report(serving);
        },
        onLost: () => this.#options.catalog.onConnectionLost(instance),
        onPayload: (payload) => model.applyPayload(worker, payload),
        onForget: (rank) => model.clear(worker, rank),
        onSilence: () => model.updateMode(worker),
        hasOthers: () => model.hasOther(worker),
      },
    });
    serving.workers.set(instance, worker);
    this.#byName.set(instance.name, worker);
    model.join(worker);
    worker.open();
  }

  /** Warns of another ready worker with the same name. */
  #warnOfNamesake({ instance: { id, name, address }, state }: WorkerConnection): void {
    if (state !== "ready") return;
    const namesake = this.all().find(
      ({ instance, isReady }) => isReady && instance.name === name && instance.id !== id,
    );
    if (namesake === undefined) return;
    this.#options.log.warn(
      "two workers have the same name: a request or command that names it goes to one of them",
      {
        worker: name,
        addresses: `${namesake.instance.address}, ${address}`,
      },
    );
  }

  #drain(instance: Instance, withinMs: number): void {
    this.#options.log.info("worker is leaving", { worker: instance.name, model: instance.card.name });
    this.#connectionOf(instance)?.drain(withinMs);
  }

  #connectionOf(instance: Instance): WorkerConnection | undefined {
    return this.#serving.get(instance.card.name)?.workers.get(instance);
  }

  #leave(instance: Instance, { model, workers, listed }: Serving): void {
    const worker = workers.get(instance);
    workers.delete(instance);
    if (worker !== undefined) {
      worker.close();
      model.leave(worker, true);
      if (this.#byName.get(instance.name) === worker) this.#byName.delete(instance.name);
    }
    this.#options.log.info("worker left", { worker: instance.name, model: listed.name });
  }

  /** Loads tokenizer and template as soon as a worker can provide them, and retries if that failed. */
  async #prepare(serving: Serving): Promise<void> {
    const { log, loadTokenizer } = this.#options;
    const { listed, model } = serving;
    const isReady = Array.from(serving.workers.values()).some((worker) => worker.isReady);
    if (!isReady || model.workers !== undefined || serving.isLoading) return;
    serving.isLoading = true;
    let mustRetry = false;
    try {
      const { card } = listed;
      const tokenizer = await loadTokenizer(card, () => this.#workersWithTokenizer(card.tokenizer.sha256));
      const template = templateOf(card);
      // Another card may have arrived meanwhile.
      if (serving.listed !== listed) return;
      model.workers = new WorkerSide(model, card, tokenizer, template);
      this.#report(serving);
    } catch (error) {
      mustRetry = this.#refuse(error, serving);
      if (!mustRetry) log.error("cannot prepare a model", { model: listed.name, reason: String(error) });
    } finally {
      serving.isLoading = false;
      if (serving.listed !== listed || mustRetry) void this.#prepare(serving);
    }
  }

  /** Logs once that the model can answer, and each time that it cannot for want of a decode worker. */
  #report(serving: Serving): void {
    const { log } = this.#options;
    const { model, reported } = serving;
    // Workers that only encode media are not to answer.
    if (model.workers === undefined || model.isEncoder) return;
    const { toolFormat, reasoningFormat } = model.workers;
    const { name, contextLength, blockSize } = model.workers.card;
    if (missingRole(model.members) === "decode") {
      if (reported === "no-decode") return;
      serving.reported = "no-decode";
      if (reported === "ready")
        log.warn("a model cannot answer: its decode workers have left", { model: name });
      else log.info("a model waits for its first decode worker", { model: name });
    } else if (reported !== "ready" && model.workers.isReady) {
      serving.reported = "ready";
      log.info("model is ready", {
        model: name,
        context: contextLength,
        blockSize,
        toolParser: toolFormat?.name ?? NO_PARSER,
        reasoningParser: reasoningFormat?.name ?? NO_PARSER,
      });
    }
  }

  /** Removes the worker with the invalid card. @returns false for any other error */
  #refuse(error: unknown, { workers }: Serving): boolean {
    if (!(error instanceof InvalidCardError)) return false;
    const instance = error.instance ?? workers.keys().next().value;
    if (instance !== undefined) this.#options.catalog.refuse(instance, error.fault);
    return instance !== undefined;
  }

  #workersWithTokenizer(sha256: string): WorkerConnection[] {
    return this.all().filter((worker) => worker.instance.card.tokenizer.sha256 === sha256);
  }
}

/** @throws InvalidCardError if the template is invalid */
function templateOf({ chatTemplate, specialTokens }: ModelCard): ChatTemplate {
  try {
    return createChatTemplate(chatTemplate, specialTokens);
  } catch (error) {
    const reason = messageOf(error);
    throw new InvalidCardError({ field: "chatTemplate", reason });
  }
}

/** Whether two cards differ at most in what is each worker's own: creation time and LoRA adapters. */
const isSame = (one: ModelCard, other: ModelCard) => commonPart(one) === commonPart(other);

const commonPart = (card: ModelCard) => JSON.stringify({ ...card, created: 0, loraAdapters: [] });
