import type { ForwardModel } from "./forward-model.ts";
import type { FoundModel } from "./model-view.ts";

/**
 * Models of attached engines. One that no engine has any more is not listed, and forgotten after a while: until then a
 * request for it is not wrong but early, as when its only engine is being replaced.
 */
export class ModelTable<Model extends ForwardModel> {
  readonly #models = new Map<string, Model>();

  /** Those that an engine has now, up or not. */
  list(): Model[] {
    return [...this.#models.values()].filter(({ workers }) => workers.size > 0);
  }

  /** The model with exactly this name. */
  get(name: string): Model | undefined {
    return this.#models.get(name);
  }

  set(model: Model): void {
    this.#models.set(model.name, model);
  }

  /** The model, where there is exactly one. */
  get only(): FoundModel | undefined {
    this.#forget();
    const listed = this.list();
    const [model, second] = listed.length === 0 ? this.#models.values() : listed;
    return model === undefined || second !== undefined ? undefined : { model, adapter: undefined };
  }

  /** The model with this name, or of which it is another name or an adapter. */
  find(name: string): FoundModel | undefined {
    const own = this.#models.get(name);
    if (own !== undefined && !isForgotten(own)) return { model: own, adapter: undefined };
    this.#forget();
    for (const model of this.#models.values()) {
      if (model.aliases.includes(name)) return { model, adapter: undefined };
      if (model.adapters.includes(name)) return { model, adapter: name };
    }
    return undefined;
  }

  #forget(): void {
    for (const [name, model] of this.#models) if (isForgotten(model)) this.#models.delete(name);
  }
}

const isForgotten = ({ workers, left }: ForwardModel) =>
  workers.size === 0 && left.isEmpty(performance.now());
