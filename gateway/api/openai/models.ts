import type { Context } from "hono";
import type { GatewayDependencies } from "../../dependencies.ts";
import type { CatalogModel } from "../../models/catalog.ts";

/** `GET /v1/models` */
export function listModels(context: Context, { models }: GatewayDependencies): Response {
  const data = models.catalog.list().map(modelObject);
  return context.json({ object: "list", data });
}

/** `GET /v1/models/{id}`; ids may have slashes in them. */
export function retrieveModel(context: Context, { models }: GatewayDependencies, id: string): Response {
  return context.json(modelObject(models.catalog.get(id)));
}

function modelObject({ name: id, card }: CatalogModel) {
  return {
    id,
    object: "model",
    created: card.created,
    owned_by: "stator",
    root: id,
    parent: null,
    // As vLLM names it; clients read the context length from here.
    max_model_len: card.contextLength,
    context_window: card.contextLength,
    aliases: card.aliases,
  };
}
