import type { ApiModels } from "../pipeline/serving/models.ts";
import { type ApiKey, mayUse } from "./api-key.ts";
import { modelNotAllowed } from "./refusals.ts";

/**
 * Whether a key may use the model that a request names: under that name, or where it is another name of the same
 * weights, under the model's own.
 * @throws ApiError 403 for one out of its scope, 404 for one that there is not
 */
export function requireModel(key: ApiKey | undefined, models: ApiModels, name: string): void {
  if (key?.models === undefined) return;
  const view = models.list().find((each) => each.name === name || each.aliases.includes(name));
  if (mayUse(key, view === undefined ? [name] : [name, view.name])) return;
  const exists = view !== undefined || models.list().some(({ adapters }) => adapters.includes(name));
  if (exists) throw modelNotAllowed(name);
  models.refuse(name, (known) => mayUse(key, [known]));
}
