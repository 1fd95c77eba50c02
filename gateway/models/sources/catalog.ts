import {
  type CardFault,
  cardFault,
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

/** A worker that the gateway will not use, and what of its card is why. */
export interface RefusedWorker extends CardFault {
  readonly name: string;
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
  /** What discovery has told of each key, as JSON. */
  readonly #told = new Map<string, string>();
  /** Workers that cannot serve beside the others of their model; their turn comes when those have left. */
  readonly #unlike = new Map<string, { instance: Instance; fault: RefusedWorker }>();
  /** Those whose cards are wrong. */
  readonly #wrong = new Map<string, RefusedWorker>();
  #watch: Watch | undefined;
  #listener: CatalogListener | undefined;

  constructor(discovery: Discovery, log: Logger) {
    this.#discovery = discovery;
    this.#log = log;
  }

  /** Begins to follow discovery; resolves once the listener knows what is there now. */
  async open(listener: CatalogListener): Promise<void> {
    this.#listener = listener;
    this.#watch = await this.#discovery.watch(PREFIX, (event) => {
      if (event.type === "delete") this.#remove(event.key, listener);
      else if (event.type === "put") this.#add(event.key, event.value, listener);
      else this.#replace(event.entries, listener);
    });
  }

  close(): void {
    this.#watch?.close();
  }

  /** Models that have workers. */
  list(): CatalogModel[] {
    return [...this.#models.values()].filter((model) => model.instances.size > 0);
  }

  /** Workers that are there, and are not used. */
  refused(): RefusedWorker[] {
    return [...this.#wrong.values(), ...Array.from(this.#unlike.values(), ({ fault }) => fault)];
  }

  /** A worker's card is found to be wrong: it leaves, until it announces itself anew. */
  refuse(instance: Instance, fault: CardFault): void {
    const key = [...this.#instances].find(([, known]) => known.instance === instance)?.[0];
    if (key === undefined || this.#listener === undefined) return;
    const told = this.#told.get(key);
    this.#remove(key, this.#listener);
    if (told !== undefined) this.#told.set(key, told);
    this.#setWrong(key, { name: instance.name, ...fault });
  }

  /** The model of this name or alias; one whose workers are all gone for now counts as well. */
  find(name: string): CatalogModel | undefined {
    return this.#models.get(name) ?? this.list().find(({ card }) => card.aliases.includes(name));
  }

  /** All that there is now: what is not among it has gone. */
  #replace(entries: ReadonlyMap<string, JsonValue>, listener: CatalogListener): void {
    for (const key of [...this.#told.keys()]) if (!entries.has(key)) this.#remove(key, listener);
    for (const [key, value] of entries) this.#add(key, value, listener);
  }

  /** What is told again unchanged stays as it is. */
  #add(key: string, value: JsonValue, listener: CatalogListener): void {
    const told = JSON.stringify(value);
    if (this.#told.get(key) === told) return;
    this.#remove(key, listener);
    this.#told.set(key, told);
    const parsed = instanceSchema.safeParse(value);
    if (parsed.success) this.#join(key, parsed.data, listener);
    else this.#setWrong(key, { name: nameIn(value) ?? key, ...cardFault(parsed.error) });
  }

  #setWrong(key: string, { name, field, reason }: RefusedWorker): void {
    this.#wrong.set(key, { name, field, reason });
    this.#log.error("refused a worker whose model card is wrong", { worker: name, field, reason });
  }

  #join(key: string, instance: Instance, listener: CatalogListener): void {
    const { card } = instance;
    const known = this.#models.get(card.name);
    const isFirst = known === undefined || known.instances.size === 0;
    if (!isFirst && !areAlike(card, known.card)) {
      this.#setUnlike(key, instance, known.card);
      return;
    }
    this.#unlike.delete(key);
    // With nobody left who holds anything, a model may come back with another block size or tokenizer.
    const model = isFirst ? { name: card.name, card, instances: new Set<Instance>() } : known;
    this.#models.set(card.name, model);
    model.instances.add(instance);
    this.#instances.set(key, { instance, model });
    listener.onJoin(instance, model, isFirst);
  }

  #remove(key: string, listener: CatalogListener): void {
    this.#told.delete(key);
    this.#unlike.delete(key);
    this.#wrong.delete(key);
    const entry = this.#instances.get(key);
    if (entry === undefined) return;
    const { model, instance } = entry;
    this.#instances.delete(key);
    model.instances.delete(instance);
    listener.onLeave(instance, model);
    if (model.instances.size > 0) return;
    for (const [waiting, unlike] of this.#unlike) {
      if (unlike.instance.card.name === model.name) this.#join(waiting, unlike.instance, listener);
    }
  }

  #setUnlike(key: string, instance: Instance, expected: ModelCard): void {
    const { name, card } = instance;
    const differsInBlocks = card.blockSize !== expected.blockSize;
    const field = differsInBlocks ? "blockSize" : "tokenizer.sha256";
    const [has, others] = differsInBlocks
      ? [card.blockSize, expected.blockSize]
      : [card.tokenizer.sha256, expected.tokenizer.sha256];
    const reason = `it is ${has}, and that of the model's other workers is ${others}`;
    this.#unlike.set(key, { instance, fault: { name, field, reason } });
    this.#log.error("refused a worker whose model differs from that of the others", {
      worker: name,
      model: card.name,
      field,
      reason,
    });
  }
}

function nameIn(value: JsonValue): string | undefined {
  const name: unknown = Reflect.get(Object(value), "name");
  return typeof name === "string" && name !== "" ? name : undefined;
}
