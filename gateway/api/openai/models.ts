import type { Context } from "hono";
import type { ModelCard } from "#runtime";
import type { GatewayDependencies } from "../../dependencies.ts";

/** `GET /v1/models` */
export function listModels(context: Context, { registry }: GatewayDependencies): Response {
  const data = registry.list().map(({ name }) => modelObject(name, registry.describe(name).card));
  return context.json({ object: "list", data });
}

/** `GET /v1/models/{id}`; ids may have slashes in them. */
export function retrieveModel(context: Context, { registry }: GatewayDependencies, id: string): Response {
  const { name, card } = registry.describe(id);
  return context.json(modelObject(name, card));
}

function modelObject(id: string, card: ModelCard) {
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
