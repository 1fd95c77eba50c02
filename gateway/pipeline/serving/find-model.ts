import type { ForwardModel } from "./forward-model.ts";
import type { FoundModel } from "./models.ts";

/** The model with this name, or of which it is another name or an adapter. */
export function findModel(models: ReadonlyMap<string, ForwardModel>, name: string): FoundModel | undefined {
  const own = models.get(name);
  if (own !== undefined) return { model: own, adapter: undefined };
  for (const model of models.values()) {
    if (model.aliases.includes(name)) return { model, adapter: undefined };
    if (model.adapters.includes(name)) return { model, adapter: name };
  }
  return undefined;
}

/** The model, where there is exactly one. */
export function onlyModel(models: ReadonlyMap<string, ForwardModel>): FoundModel | undefined {
  const [model, second] = models.values();
  return model === undefined || second !== undefined ? undefined : { model, adapter: undefined };
}
