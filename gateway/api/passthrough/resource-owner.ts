import type { Model } from "../../models/model.ts";
import type { Models } from "../../models/models.ts";
import type { Resource } from "../endpoints.ts";

/** Ids of which the engines are asked. */
const PLAIN = /^[\w.-]{1,256}$/;

/**
 * The name of the engine that keeps a resource. If this process has not seen where it was made, as after a restart or behind
 * another gateway, the models' engines are asked.
 * @returns undefined if none of them says that it does
 */
export async function engineWith(
  { kind, id }: Resource,
  models: readonly Model[],
  { resources }: Pick<Models<Model>, "resources">,
): Promise<string | undefined> {
  const known = await resources.find(id);
  if (known !== undefined || !PLAIN.test(id)) return known;
  const engines = new Set(models.flatMap((model) => model.engines.members().map(({ engine }) => engine)));
  const answers = Array.from(engines, async ({ api, name }) => {
    const answer = await api.getJson(`/v1/${kind}/${id}`).catch(() => undefined);
    return answer === undefined ? undefined : name;
  });
  const found = (await Promise.all(answers)).find((name) => name !== undefined);
  if (found !== undefined) resources.remember(id, found);
  return found;
}

/** The model among whose engines is the one that keeps a resource; undefined if none says that it does. */
export async function modelWith(resource: Resource, models: Models<Model>): Promise<Model | undefined> {
  const all = models.all().filter((model) => model.has("engine"));
  const name = await engineWith(resource, all, models);
  return name === undefined
    ? undefined
    : all.find(({ engines }) => engines.members().some(({ engine }) => engine.name === name));
}
