import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import type { Model } from "../../models/model.ts";
import type { Models } from "../../models/models.ts";
import { noConversation } from "../conversations/find.ts";
import type { Resource } from "../endpoints.ts";
import { noResponse } from "../responses/conversation.ts";

/** Ids of which the engines are asked. */
const PLAIN = /^[\w.-]{1,256}$/;

/** Who keeps a resource: an engine, by its name, none of those that were asked, or nobody knows. */
export type Keeper = { readonly engine: string } | "none" | "unknown";

/**
 * Who among these models' engines keeps a resource. If this process has not seen where it was made, as after a restart or
 * behind another gateway, the engines are asked.
 */
export async function keeperOf(
  { kind, id }: Resource,
  models: readonly Model[],
  { resources }: Pick<Models<Model>, "resources">,
): Promise<Keeper> {
  const known = await resources.find(id);
  if (known !== undefined) return { engine: known };
  if (!PLAIN.test(id)) return "none";
  const engines = new Set(models.flatMap((model) => model.engines.members().map(({ engine }) => engine)));
  const answers = await Promise.all(
    Array.from(engines, ({ api, name }) =>
      api.getJson(`/v1/${kind}/${id}`).then(
        (answer): Keeper => (answer === undefined ? "none" : { engine: name }),
        (): Keeper => "unknown",
      ),
    ),
  );
  const found = answers.find((answer) => typeof answer === "object");
  if (found !== undefined) resources.remember(id, found.engine);
  return found ?? (answers.includes("unknown") ? "unknown" : "none");
}

/** The model that has this engine. */
export const modelOf = (engine: string, models: Models<Model>): Model | undefined =>
  models.all().find(({ engines }) => engines.members().some((member) => member.engine.name === engine));

/**
 * The model among whose engines is the one that keeps a resource.
 * @returns undefined if that is not known
 * @throws ApiError 404 if no engine keeps it
 */
export async function modelWith(resource: Resource, models: Models<Model>): Promise<Model | undefined> {
  const attached = models.all().filter((model) => model.has("engine"));
  const keeper = await keeperOf(resource, attached, models);
  if (keeper === "none") throw noResource(resource);
  return keeper === "unknown" ? undefined : modelOf(keeper.engine, models);
}

function noResource({ kind, id }: Resource): ApiError {
  if (kind === "responses") return noResponse(id);
  if (kind === "conversations") return noConversation(id);
  return new ApiError(404, "not_found_error", `No engine has /v1/${kind}/${id.slice(0, 100)}.`, {
    code: "not_found",
  });
}

/**
 * The only engine of a model that can answer, because it keeps what the request refers to.
 * @returns undefined if it does not matter, or is not known
 * @throws ApiError 400 if an engine of another model keeps it
 */
export async function engineFor(
  resource: Resource | undefined,
  model: Model,
  models: Models<Model>,
): Promise<string | undefined> {
  if (resource === undefined) return undefined;
  const own = model.engines.members();
  const isOnly = models.all().length < 2;
  if (isOnly && own.length < 2) return models.resources.find(resource.id);
  const keeper = await keeperOf(resource, isOnly ? [model] : models.all(), models);
  if (typeof keeper !== "object") return undefined;
  const { engine } = keeper;
  if (own.some((member) => member.engine.name === engine)) return engine;
  const other = modelOf(engine, models);
  // An engine that is gone; the router says so.
  if (other === undefined) return engine;
  const param = { responses: "previous_response_id", conversations: "conversation" }[resource.kind] ?? null;
  throw invalidRequest(
    `'${resource.id}' is kept by an engine of the model '${other.name}', so only that model can continue it.`,
    param,
  );
}
