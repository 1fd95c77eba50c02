import { nearest } from "#runtime";
import { ApiError } from "../kernel/errors.ts";
import type { AttachedModels } from "./attached-models.ts";
import type { RefusedWorker } from "./catalog.ts";
import { type ModelNames, NO_NAMES } from "./model-names.ts";
import type { AttachedTargets, ListedModel, ModelView, NamedModel, WorkerModels } from "./model-view.ts";
import type { ServedModel } from "./served-model.ts";

/** All models of this gateway: those of workers and those of attached engines. */
export class Models<
  View extends ListedModel = ModelView,
  Attached extends AttachedTargets<View> = AttachedModels & AttachedTargets<View>,
> {
  readonly attached: Attached;
  readonly #served: WorkerModels<View>;
  readonly #names: ModelNames;

  constructor(served: WorkerModels<View>, attached: Attached, names: ModelNames = NO_NAMES) {
    this.#served = served;
    this.attached = attached;
    this.#names = names;
  }

  /** The attached engines' model of this name. */
  ofEngines(name: string): NamedModel | undefined {
    const known = this.#known(name);
    const found = this.attached.find(known);
    return found && { ...found, rename: known === name ? undefined : known };
  }

  /**
   * Names of the models that answer in this one's place when it cannot, in their order: those of the name itself, or
   * else of the model that it is another name of.
   */
  fallbacks(name: string): readonly string[] {
    const { fallbacks } = this.#names;
    if (fallbacks.size === 0) return [];
    const known = this.#known(name);
    const found = this.attached.find(known);
    const own = found?.adapter === undefined ? found?.model.name : undefined;
    return fallbacks.get(name) ?? fallbacks.get(known) ?? fallbacks.get(own ?? known) ?? [];
  }

  /** Names of the operator's that stand for a model which nobody serves now. */
  missing(): string[] {
    const { aliases, fallbacks } = this.#names;
    const meant = new Set([...aliases.values(), ...[...fallbacks.values()].flat()]);
    return [...meant].filter((name) => this.ofEngines(name) === undefined && !this.isOfWorkers(name));
  }

  /**
   * The model of this name or alias, one that workers serve.
   * @throws ApiError 404 for an unknown one, 503 for one whose workers cannot answer yet
   */
  ofWorkers(name: string): ServedModel {
    return this.#served.find(this.#known(name)) ?? this.refuse(name);
  }

  /** Whether workers serve a model of this name or alias, ready or not. */
  isOfWorkers(name: string): boolean {
    const known = this.#known(name);
    return this.#served.list().some((model) => model.name === known || model.aliases.includes(known));
  }

  /** Workers that have come, and whose model cards are wrong. */
  refused(): readonly RefusedWorker[] {
    return this.#served.refused();
  }

  list(): View[] {
    const all = [...this.#served.list(), ...this.attached.views()];
    return this.#names.aliases.size === 0 ? all : all.map((model) => this.#withAliases(model));
  }

  /** The model of this name, or all. @throws ApiError 404 for an unknown one */
  select(name: string | undefined): View[] {
    const all = this.list();
    if (name === undefined) return all;
    const found = all.find((model) => namesOf(model).includes(name));
    return found === undefined ? this.refuse(name) : [found];
  }

  /**
   * @param mayBeNamed whether the message may speak of a model
   * @throws ApiError 404 with the nearest name; 503 while no worker has ever come
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

  #known(name: string): string {
    return this.#names.aliases.get(name) ?? name;
  }

  #withAliases(model: View): View {
    const own = [...this.#names.aliases].flatMap(([alias, name]) =>
      name === model.name || model.aliases.includes(name) ? [alias] : [],
    );
    return own.length === 0 ? model : { ...model, aliases: [...new Set([...model.aliases, ...own])] };
  }
}

/** The models of a gateway, as far as its API needs them. */
export type ApiModels = Models<ListedModel, AttachedTargets>;

const namesOf = ({ name, aliases, adapters }: ListedModel) => [name, ...aliases, ...adapters];
