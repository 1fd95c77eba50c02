import {
  type Discovery,
  type Instance,
  instanceSchema,
  type JsonValue,
  type Logger,
  type ModelCard,
  type Watch,
} from "#runtime";

/** A model as its workers' cards describe it. */
export interface CatalogModel {
  readonly name: string;
  /** The card of whoever came first; all others agree with it in what matters to routing and tokenising. */
  readonly card: ModelCard;
  readonly instances: ReadonlySet<Instance>;
}

export interface CatalogListener {
  /** A worker has come; `isFirst` where the model had none. */
  onJoin(instance: Instance, model: CatalogModel, isFirst: boolean): void;
  onLeave(instance: Instance, model: CatalogModel): void;
}

interface Entry {
  name: string;
  card: ModelCard;
  instances: Set<Instance>;
}

const PREFIX = "instances/";

/** Whether the prompts of one are prompts of the other, and their blocks match. */
export const areAlike = (one: ModelCard, other: ModelCard) =>
  one.blockSize === other.blockSize && one.tokenizer.sha256 === other.tokenizer.sha256;

/** Which models exist and who serves them, as discovery tells it. */
export class ModelCatalog {
  readonly #discovery: Discovery;
  readonly #log: Logger;
  readonly #models = new Map<string, Entry>();
  readonly #instances = new Map<string, { instance: Instance; model: Entry }>();
  /** Workers that cannot serve beside the others of their model; their turn comes when those have left. */
  readonly #refused = new Map<string, Instance>();
  #watch: Watch | undefined;

  constructor(discovery: Discovery, log: Logger) {
    this.#discovery = discovery;
    this.#log = log;
  }

  /** Begins to follow discovery; resolves once the listener knows what is there now. */
  async open(listener: CatalogListener): Promise<void> {
    this.#watch = await this.#discovery.watch(PREFIX, (event) => {
      if (event.type === "delete") this.#remove(event.key, listener);
      else if (event.type === "put") this.#add(event.key, event.value, listener);
      else for (const [key, value] of event.entries) this.#add(key, value, listener);
    });
  }

  close(): void {
    this.#watch?.close();
  }

  /** Models that have workers. */
  list(): CatalogModel[] {
    return [...this.#models.values()].filter((model) => model.instances.size > 0);
  }

  /** The model of this name or alias; one whose workers are all gone for now counts as well. */
  find(name: string): CatalogModel | undefined {
    return this.#models.get(name) ?? this.list().find(({ card }) => card.aliases.includes(name));
  }

  #add(key: string, value: JsonValue, listener: CatalogListener): void {
    const parsed = instanceSchema.safeParse(value);
    if (!parsed.success) {
      this.#log.warn("ignored an unreadable worker entry", { key, reason: parsed.error.issues[0]?.message });
      return;
    }
    this.#remove(key, listener);
    this.#join(key, parsed.data, listener);
  }

  #join(key: string, instance: Instance, listener: CatalogListener): void {
    const { card } = instance;
    const known = this.#models.get(card.name);
    const isFirst = known === undefined || known.instances.size === 0;
    if (!isFirst && !this.#agrees(instance, known.card)) {
      this.#refused.set(key, instance);
      return;
    }
    this.#refused.delete(key);
    // With nobody left who holds anything, a model may come back with another block size or tokenizer.
    const model = isFirst ? { name: card.name, card, instances: new Set<Instance>() } : known;
    this.#models.set(card.name, model);
    model.instances.add(instance);
    this.#instances.set(key, { instance, model });
    listener.onJoin(instance, model, isFirst);
  }

  #remove(key: string, listener: CatalogListener): void {
    this.#refused.delete(key);
    const entry = this.#instances.get(key);
    if (entry === undefined) return;
    const { model, instance } = entry;
    this.#instances.delete(key);
    model.instances.delete(instance);
    listener.onLeave(instance, model);
    if (model.instances.size > 0) return;
    for (const [waiting, refused] of this.#refused) {
      if (refused.card.name === model.name) this.#join(waiting, refused, listener);
    }
  }

  #agrees(instance: Instance, expected: ModelCard): boolean {
    const { card } = instance;
    if (areAlike(card, expected)) return true;
    this.#log.error("refused a worker whose model differs from that of the others", {
      worker: instance.name,
      model: card.name,
      blockSize: card.blockSize,
      expectedBlockSize: expected.blockSize,
      tokenizer: card.tokenizer.sha256.slice(0, 12),
      expectedTokenizer: expected.tokenizer.sha256.slice(0, 12),
    });
    return false;
  }
}
