import { nearest } from "#runtime";
import { ApiError, noWorkerReady } from "../kernel/errors.ts";
import type { LocalModel } from "./local-model.ts";
import type { Model, WorkerSide } from "./model.ts";
import { type KeptResources, ResourceLocations } from "./resource-locations.ts";

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
  /** Where the name is that of a LoRA adapter on its weights. */
  readonly adapter: string | undefined;
  /** The name that its members know it by, where the request gave one of the operator's. */
  readonly rename: string | undefined;
}

export interface ModelsOptions<Found extends Model> {
  /** Makes a model that has no members yet. */
  create(name: string, blockSize: number): Found;
  readonly names?: ModelNames | undefined;
  readonly resources?: KeptResources | undefined;
}

/**
 * All models of this gateway, whoever serves them. Sources put members in and take them out. A model that has none any
 * more is not listed, and forgotten after a while: until then a request for it is not wrong but early, as when its only
 * engine is being replaced.
 */
export class Models<Found extends Model = LocalModel> {
  /** What engines keep for their clients. */
  readonly resources: KeptResources;
  readonly #create: (name: string, blockSize: number) => Found;
  readonly #names: ModelNames;
  readonly #models = new Map<string, Found>();

  constructor({ create, names = NO_NAMES, resources = new ResourceLocations() }: ModelsOptions<Found>) {
    this.#create = create;
    this.#names = names;
    this.resources = resources;
  }

  /** The model with exactly this name, for who puts a member in; made where there is none. */
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

  /** Those that have members, ready or not. */
  all(): Found[] {
    return [...this.#models.values()].filter(({ isEmpty }) => !isEmpty);
  }

  /** The same, with the operator's names among theirs. */
  list(): ListedModel[] {
    return this.all().map((model) => ({
      name: model.name,
      aliases: this.#aliasesOf(model),
      adapters: model.adapters,
      contextLength: model.contextLength,
      created: model.created,
    }));
  }

  /** The model, where there is exactly one. */
  get only(): FoundModel<Found> | undefined {
    this.#forget();
    const listed = this.all();
    const [model, second] = listed.length === 0 ? this.#models.values() : listed;
    if (model === undefined || second !== undefined) return undefined;
    return { model, adapter: undefined, rename: undefined };
  }

  /** The model with this name, or of which it is another name or an adapter. */
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
    return undefined;
  }

  /**
   * The model of this name, as its workers see it.
   * @throws ApiError 404 for an unknown one, 503 for one whose workers cannot answer yet
   */
  ofWorkers(name: string): WorkerSide {
    const { model } = this.find(name) ?? this.refuse(name);
    const { workers } = model;
    if (workers === undefined || !workers.isReady) throw noWorkerReady(model.name);
    return workers;
  }

  /**
   * Names of the models that answer in this one's place when it cannot, in their order: those of the name itself, or
   * else of the model that it is another name of.
   */
  fallbacks(name: string): readonly string[] {
    const { fallbacks, aliases } = this.#names;
    if (fallbacks.size === 0) return [];
    const known = aliases.get(name) ?? name;
    const found = this.find(known);
    const own = found?.adapter === undefined ? found?.model.name : undefined;
    return fallbacks.get(name) ?? fallbacks.get(known) ?? fallbacks.get(own ?? known) ?? [];
  }

  /** Names of the operator's that stand for a model which nobody serves now. */
  missing(): string[] {
    const { aliases, fallbacks } = this.#names;
    const meant = new Set([...aliases.values(), ...[...fallbacks.values()].flat()]);
    return [...meant].filter((name) => this.find(name) === undefined);
  }

  /** The models of this name, or all that have members. @throws ApiError 404 for an unknown one */
  select(name: string | undefined): Found[] {
    if (name === undefined) return this.all();
    const found = this.find(name)?.model;
    return found === undefined || found.isEmpty ? this.refuse(name) : [found];
  }

  /** The same as it is listed. @throws ApiError 404 for an unknown one */
  listed(name: string): ListedModel {
    const [{ name: own }] = this.select(name) as [Found];
    return this.list().find((model) => model.name === own) ?? this.refuse(name);
  }

  /**
   * @param mayBeNamed whether the message may speak of a model
   * @throws ApiError 404 with the nearest name; 503 while no member has ever come
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
      `The model '${shown}' does not exist.${suggestion === undefined ? "" : ` Did you mean '${suggestion}'?`} GET /v1/models lists all.`,
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

/** What workers serve is what this cluster is for: they come back. */
const isForgotten = ({ isEmpty, left, workers }: Model) =>
  isEmpty && workers === undefined && left.isEmpty(performance.now());

const namesOf = ({ name, aliases, adapters }: ListedModel) => [name, ...aliases, ...adapters];

/** Names that an operator gives to models, beside those that engines and workers give them. */
export interface ModelNames {
  /** Further name → the model's own name. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Name → names of models that answer in its place, in this order, when it cannot. */
  readonly fallbacks: ReadonlyMap<string, readonly string[]>;
}

export const NO_NAMES: ModelNames = { aliases: new Map(), fallbacks: new Map() };
