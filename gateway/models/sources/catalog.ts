import {
  type CardFault,
  cardFault,
  type Discovery,
  defaultTtlMs,
  followKeys,
  type Instance,
  instanceSchema,
  type JsonValue,
  type Logger,
  type ModelCard,
  type Watch,
} from "#runtime";

/** A model as described by its workers' cards. */
export interface CatalogModel {
  readonly name: string;
  /** The first worker's card; the others' have the same block size and tokenizer. */
  readonly card: ModelCard;
  readonly instances: ReadonlySet<Instance>;
}

export interface CatalogListener {
  /** A worker has joined; `isFirst` if the model had none. */
  onJoin(instance: Instance, model: CatalogModel, isFirst: boolean): void;
  onLeave(instance: Instance, model: CatalogModel): void;
  /** A worker has announced that it is leaving. */
  onDrain(instance: Instance, withinMs: number): void;
  /** Whether the worker answers, whatever discovery says. */
  isConnected(instance: Instance): boolean;
}

/** A worker that the gateway refuses, and the fault in its card. */
export interface RefusedWorker extends CardFault {
  readonly name: string;
}

interface Entry {
  name: string;
  card: ModelCard;
  instances: Set<Instance>;
}

const PREFIX = "instances/";
/** How long a worker that still answers is kept after its registration is gone: its store may have lost it. */
const MISSING_MS = 2 * defaultTtlMs;

/** Whether workers with these cards have the same tokens and blocks. */
export const areCompatible = (one: ModelCard, other: ModelCard) =>
  one.blockSize === other.blockSize && one.tokenizer.sha256 === other.tokenizer.sha256;

/** Whether two values of one worker differ at most in its LoRA adapters. */
function isSameButAdapters(one: Instance, other: Instance): boolean {
  const [before, after] = [one, other].map((instance) =>
    JSON.stringify({ ...instance, card: { ...instance.card, loraAdapters: [] } }),
  );
  return before === after;
}

/** The models and their workers according to discovery. */
export class ModelCatalog {
  readonly #discovery: Discovery;
  readonly #log: Logger;
  readonly #models = new Map<string, Entry>();
  readonly #instances = new Map<string, { instance: Instance; model: Entry }>();
  /** Discovery's latest value of each key, as JSON. */
  readonly #values = new Map<string, string>();
  /** Workers that are incompatible with the others of their model; they join when those have left. */
  readonly #incompatible = new Map<string, { instance: Instance; fault: RefusedWorker }>();
  /** Workers with invalid cards. */
  readonly #invalid = new Map<string, RefusedWorker>();
  /** Workers that have announced that they are leaving. */
  readonly #draining = new Set<string>();
  /** Workers that still answer although their registrations are gone, and the timers that remove them. */
  readonly #missing = new Map<string, ReturnType<typeof setTimeout>>();
  #watch: Watch | undefined;
  #listener: CatalogListener | undefined;

  constructor(discovery: Discovery, log: Logger) {
    this.#discovery = discovery;
    this.#log = log;
  }

  /** Starts watching discovery; resolves once the listener knows all current workers. */
  async open(listener: CatalogListener): Promise<void> {
    this.#listener = listener;
    this.#watch = await followKeys(this.#discovery, PREFIX, {
      onPut: (key, value) => this.#add(key, value, listener),
      onDelete: (key) => this.#onDeleted(key, listener),
    });
  }

  close(): void {
    this.#watch?.close();
    for (const timer of this.#missing.values()) clearTimeout(timer);
  }

  /** The connection to a worker is lost: if its registration is gone too, so is the worker. */
  onConnectionLost(instance: Instance): void {
    const key = this.#keyOf(instance);
    if (key !== undefined && this.#missing.has(key)) this.#remove(key, this.#listener!);
  }

  /** Models that have workers. */
  list(): CatalogModel[] {
    return [...this.#models.values()].filter((model) => model.instances.size > 0);
  }

  /** Registered workers that are not used. */
  refused(): RefusedWorker[] {
    return [...this.#invalid.values(), ...Array.from(this.#incompatible.values(), ({ fault }) => fault)];
  }

  /** Removes a worker whose card turns out to be invalid, until it registers again. */
  refuse(instance: Instance, fault: CardFault): void {
    const key = this.#keyOf(instance);
    if (key === undefined || this.#listener === undefined) return;
    const value = this.#values.get(key);
    this.#remove(key, this.#listener);
    if (value !== undefined) this.#values.set(key, value);
    this.#setInvalid(key, { name: instance.name, ...fault });
  }

  /** The model of this name or alias; by name, also if its workers are all gone for now. */
  find(name: string): CatalogModel | undefined {
    return this.#models.get(name) ?? this.list().find(({ card }) => card.aliases.includes(name));
  }

  #keyOf(instance: Instance): string | undefined {
    return [...this.#instances].find(([, known]) => known.instance === instance)?.[0];
  }

  /** A worker that has not announced its end, and still answers, may come back: its store may have lost it. */
  #onDeleted(key: string, listener: CatalogListener): void {
    if (this.#missing.has(key)) return;
    const instance = this.#instances.get(key)?.instance;
    if (instance === undefined || this.#draining.has(key) || !listener.isConnected(instance)) {
      this.#remove(key, listener);
      return;
    }
    this.#log.warn("a worker's registration is gone from discovery, but the worker still answers", {
      worker: instance.name,
      keptSeconds: MISSING_MS / 1000,
    });
    this.#missing.set(
      key,
      setTimeout(() => this.#remove(key, listener), MISSING_MS),
    );
  }

  /** Ignores an unchanged value. */
  #add(key: string, value: JsonValue, listener: CatalogListener): void {
    clearTimeout(this.#missing.get(key));
    this.#missing.delete(key);
    const json = JSON.stringify(value);
    if (this.#values.get(key) === json) return;
    const parsed = instanceSchema.safeParse(value);
    if (parsed.success && parsed.data.drainWithinMs !== undefined) {
      this.#values.set(key, json);
      this.#drain(key, parsed.data.drainWithinMs, listener);
      return;
    }
    const known = this.#instances.get(key)?.instance;
    if (parsed.success && known !== undefined && isSameButAdapters(known, parsed.data)) {
      // The worker stays, with all that is known of its cache.
      known.card.loraAdapters = parsed.data.card.loraAdapters;
      this.#values.set(key, json);
      return;
    }
    this.#remove(key, listener);
    this.#values.set(key, json);
    if (parsed.success) this.#join(key, parsed.data, listener);
    else this.#setInvalid(key, { name: nameIn(value) ?? key, ...cardFault(parsed.error) });
  }

  /** A worker that is already leaving when it is first seen does not join. */
  #drain(key: string, withinMs: number, listener: CatalogListener): void {
    const entry = this.#instances.get(key);
    this.#incompatible.delete(key);
    if (entry === undefined || this.#draining.has(key)) return;
    this.#draining.add(key);
    listener.onDrain(entry.instance, withinMs);
  }

  #setInvalid(key: string, { name, field, reason }: RefusedWorker): void {
    this.#invalid.set(key, { name, field, reason });
    this.#log.error("refused a worker with an invalid model card", { worker: name, field, reason });
  }

  #join(key: string, instance: Instance, listener: CatalogListener): void {
    const { card } = instance;
    const known = this.#models.get(card.name);
    const isFirst = known === undefined || known.instances.size === 0;
    if (!isFirst && !areCompatible(card, known.card)) {
      this.#setIncompatible(key, instance, known.card);
      return;
    }
    this.#incompatible.delete(key);
    // Once all its workers have left, a model may come back with another block size or tokenizer.
    const model = isFirst ? { name: card.name, card, instances: new Set<Instance>() } : known;
    this.#models.set(card.name, model);
    model.instances.add(instance);
    this.#instances.set(key, { instance, model });
    listener.onJoin(instance, model, isFirst);
  }

  #remove(key: string, listener: CatalogListener): void {
    clearTimeout(this.#missing.get(key));
    this.#missing.delete(key);
    this.#draining.delete(key);
    this.#values.delete(key);
    this.#incompatible.delete(key);
    this.#invalid.delete(key);
    const entry = this.#instances.get(key);
    if (entry === undefined) return;
    const { model, instance } = entry;
    this.#instances.delete(key);
    model.instances.delete(instance);
    listener.onLeave(instance, model);
    if (model.instances.size > 0) return;
    for (const [waiting, { instance: next }] of this.#incompatible) {
      if (next.card.name === model.name) this.#join(waiting, next, listener);
    }
  }

  #setIncompatible(key: string, instance: Instance, expected: ModelCard): void {
    const { name, card } = instance;
    const differsInBlocks = card.blockSize !== expected.blockSize;
    const field = differsInBlocks ? "blockSize" : "tokenizer.sha256";
    const [has, others] = differsInBlocks
      ? [card.blockSize, expected.blockSize]
      : [card.tokenizer.sha256, expected.tokenizer.sha256];
    const reason = `it is ${has}, but that of the model's other workers is ${others}`;
    this.#incompatible.set(key, { instance, fault: { name, field, reason } });
    this.#log.error("refused a worker that is incompatible with the model's other workers", {
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
