import { type ApiKey, mayUse } from "../access/api-key.ts";
import { modelNotAllowed } from "../access/refusals.ts";
import type { Model } from "./model.ts";
import type { Models } from "./models.ts";

/**
 * @throws ApiError 403 for a model outside the key's scope, 404 for an unknown model
 */
export function requireModel(key: ApiKey | undefined, models: Models<Model>, name: string): void {
  if (mayUseModel(key, models, name)) return;
  if (models.list().some(({ name: own, aliases, adapters }) => [own, ...aliases, ...adapters].includes(name)))
    throw modelNotAllowed(name);
  models.refuse(name, (known) => mayUse(key, [known]));
}

/**
 * Whether a key may use the model that a request names: by that name, or, if it is an alias, by the model's own name.
 */
export function mayUseModel(key: ApiKey | undefined, models: Models<Model>, name: string): boolean {
  if (key?.models === undefined) return true;
  const model = models.list().find((each) => each.name === name || each.aliases.includes(name));
  return mayUse(key, model === undefined ? [name] : [name, model.name]);
}
