import { type EncodedMedium, type mediaKinds, nearest, textFormat } from "#runtime";
import { ApiError, noWorkerReady } from "../kernel/errors.ts";
import { EncoderTable } from "../routing/encode/encoder-table.ts";
import type { LocalModel } from "./local-model.ts";
import type { WorkerMember } from "./members/member.ts";
import type { Model, WorkerSide } from "./model.ts";
import { type ResourceDirectory, ResourceLocations } from "./resource-locations.ts";

type MediaKind = (typeof mediaKinds)[number];

const NO_READERS: readonly WorkerMember[] = [];
const NO_KINDS: ReadonlySet<MediaKind> = new Set();
/** For how long readers that have left are expected back. */
const READERS_RETURN_MS = 60_000;

/** A model as it is listed. */
export interface ListedModel {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly adapters: readonly string[];
  readonly contextLength: number | undefined;
  readonly created: number;
}

/** A model that a request names. */
export interface FoundModel<Found extends Model = Model> {
  readonly model: Found;
  /** Set if the name is that of a LoRA adapter. */
  readonly adapter: string | undefined;
  /** The name that its members use, if the request gave an operator's alias. */
  readonly rename: string | undefined;
}

/** What is to answer a request: a model's workers, with a LoRA adapter or without one. */
export interface AnsweringModel {
  readonly model: WorkerSide;
  readonly adapter: string | undefined;
}

export interface ModelsOptions<Found extends Model> {
  /** Creates a model without members. */
  create(name: string, blockSize: number): Found;
  readonly names?: ModelNames | undefined;
  readonly resources?: ResourceDirectory | undefined;
}

/**
 * All models of this gateway. Sources add and remove members. A model without members is not listed, and is forgotten
 * after a while: until then, requests for it get a retryable error, as its only engine may be being replaced.
 */
export class Models<Found extends Model = LocalModel> {
  /** Where resources stored at engines are. */
  readonly resources: ResourceDirectory;
  /** What the readers have read, and are reading. */
  readonly readings = new EncoderTable<EncodedMedium>();
  #lastRead: { readonly kinds: ReadonlySet<MediaKind>; readonly until: number } = {
    kinds: NO_KINDS,
    until: 0,
  };
  readonly #create: (name: string, blockSize: number) => Found;
  readonly #names: ModelNames;
  readonly #models = new Map<string, Found>();

  constructor({ create, names = NO_NAMES, resources = new ResourceLocations() }: ModelsOptions<Found>) {
    this.#create = create;
    this.#names = names;
    this.resources = resources;
  }

  /** The model with exactly this name, created if it does not exist. */
  open(name: string, blockSize: number): Found {
    const known = this.#models.get(name);
    if (known !== undefined) return known;
    const model = this.#create(name, blockSize);
    this.#models.set(name, model);
    return model;
  }

  /** The model with exactly this name. */
  get(name: string): Found | undefined {
    return this.#models.get(name);
  }

  /** The models that have members, ready or not. */
  all(): Found[] {
    return [...this.#models.values()].filter(({ isEmpty }) => !isEmpty);
  }

  /** The same without those that only encode media for others. */
  offered(): Found[] {
    return this.all().filter(({ isEncoder }) => !isEncoder);
  }

  /** The workers that turn media into text, for models without media of their own. */
  readers(): readonly WorkerMember[] {
    // Called for each request to workers: mostly, there are none.
    let readers: readonly WorkerMember[] = NO_READERS;
    for (const model of this.#models.values())
      if (model.isEncoder) readers = [...readers, ...model.encodersOf(textFormat)];
    return readers;
  }

  /**
   * The kinds of media that readers take. Those of readers that were there a moment ago count: they may be being restarted, and a
   * request for them can be sent again.
   */
  readKinds(now: number): ReadonlySet<MediaKind> {
    const readers = this.readers();
    if (readers.length > 0) {
      const kinds = new Set(readers.flatMap(({ instance }) => instance.card.media ?? []));
      this.#lastRead = { kinds, until: now + READERS_RETURN_MS };
    }
    return now < this.#lastRead.until ? this.#lastRead.kinds : NO_KINDS;
  }

  /** The offered models, including the operator's aliases. */
  list(): ListedModel[] {
    return this.offered().map((model) => ({
      name: model.name,
      aliases: this.#aliasesOf(model),
      adapters: model.adapters,
      contextLength: model.contextLength,
      created: model.created,
    }));
  }

  /** The model, if there is exactly one. */
  get only(): FoundModel<Found> | undefined {
    this.#forget();
    const listed = this.offered();
    const [model, second] = listed.length === 0 ? this.#models.values() : listed;
    if (model === undefined || second !== undefined) return undefined;
    return { model, adapter: undefined, rename: undefined };
  }

  /** The model with this name, alias or adapter. */
  find(name: string): FoundModel<Found> | undefined {
    const known = this.#names.aliases.get(name) ?? name;
    const rename = known === name ? undefined : known;
    const own = this.#models.get(known);
    if (own !== undefined && !isForgotten(own)) return { model: own, adapter: undefined, rename };
    this.#forget();
    for (const model of this.#models.values()) {
      if (model.hasAlias(known)) return { model, adapter: undefined, rename };
      if (model.hasAdapter(known)) return { model, adapter: known, rename };
    }
    // One whose last worker has just left may be back soon.
    const now = performance.now();
    const before = [...this.#models.values()].find(({ left }) => left.hadAdapter(known, now));
    return before && { model: before, adapter: known, rename };
  }

  /**
   * The model of this name, as served by workers.
   * @throws ApiError 404 for an unknown model, 503 if its workers cannot answer yet
   */
  ofWorkers(name: string): WorkerSide {
    return this.answering(name).model;
  }

  /** The same with the LoRA adapter, if that is what the name means. */
  answering(name: string): AnsweringModel {
    const { model, adapter } = this.find(name) ?? this.refuse(name);
    const { workers } = model;
    if (workers === undefined || !workers.isReady) throw noWorkerReady(model.name);
    return { model: workers, adapter };
  }

  /**
   * Names of the model's fallbacks, in order: those configured for this name, or else for the model it stands for.
   */
  fallbacks(name: string): readonly string[] {
    const { fallbacks, aliases } = this.#names;
    if (fallbacks.size === 0) return [];
    const known = aliases.get(name) ?? name;
    const found = this.find(known);
    const own = found?.adapter === undefined ? found?.model.name : undefined;
    return fallbacks.get(name) ?? fallbacks.get(known) ?? fallbacks.get(own ?? known) ?? [];
  }

  /** Models in the operator's aliases and fallbacks that no member serves now. */
  missing(): string[] {
    const { aliases, fallbacks } = this.#names;
    const meant = new Set([...aliases.values(), ...[...fallbacks.values()].flat()]);
    return [...meant].filter((name) => this.find(name) === undefined);
  }

  /** The model of this name, or all that have members. @throws ApiError 404 for an unknown model */
  select(name: string | undefined): Found[] {
    if (name === undefined) return this.all();
    const found = this.find(name)?.model;
    return found === undefined || found.isEmpty ? this.refuse(name) : [found];
  }

  /** The model of this name as listed. @throws ApiError 404 for an unknown model */
  listed(name: string): ListedModel {
    const [{ name: own }] = this.select(name) as [Found];
    return this.list().find((model) => model.name === own) ?? this.refuse(name);
  }

  /**
   * @param mayBeNamed whether the message may mention a model
   * @throws ApiError 404 with the nearest name, or 503 while there are no models
   */
  refuse(name: string, mayBeNamed: (name: string) => boolean = () => true): never {
    const all = this.list().flatMap(namesOf);
    if (all.length === 0) {
      throw new ApiError(
        503,
        "service_unavailable_error",
        "No worker has joined and no engine has been reached yet. Try again in a few seconds; /health shows the state.",
        { code: "no_worker_ready", headers: { "retry-after": "2" } },
      );
    }
    const names = all.filter(mayBeNamed);
    const suggestion = nearest(name, names) ?? names[0];
    const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
    throw new ApiError(
      404,
      "not_found_error",
      `The model '${shown}' does not exist.${suggestion === undefined ? "" : ` Did you mean '${suggestion}'?`} GET /v1/models lists all models.`,
      { param: "model", code: "model_not_found" },
    );
  }

  #aliasesOf({ name, aliases }: Found): readonly string[] {
    if (this.#names.aliases.size === 0) return aliases;
    const own = [...this.#names.aliases].flatMap(([alias, meant]) =>
      meant === name || aliases.includes(meant) ? [alias] : [],
    );
    return own.length === 0 ? aliases : [...new Set([...aliases, ...own])];
  }

  #forget(): void {
    for (const [name, model] of this.#models) if (isForgotten(model)) this.#models.delete(name);
  }
}

/** A model served by workers is never forgotten, because they are expected to come back. */
const isForgotten = ({ isEmpty, left, workers }: Model) =>
  isEmpty && workers === undefined && left.isEmpty(performance.now());

const namesOf = ({ name, aliases, adapters }: ListedModel) => [name, ...aliases, ...adapters];

/** Aliases and fallbacks that an operator gives to models, besides those of engines and workers. */
export interface ModelNames {
  /** Alias → the model's own name. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Name → names of fallback models, in order. */
  readonly fallbacks: ReadonlyMap<string, readonly string[]>;
}

export const NO_NAMES: ModelNames = { aliases: new Map(), fallbacks: new Map() };
