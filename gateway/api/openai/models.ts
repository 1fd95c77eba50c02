import type { Context } from "hono";
import type { GatewayDependencies } from "../../dependencies.ts";
import type { ModelView } from "../../pipeline/serving/models.ts";

/** `GET /v1/models` */
export function listModels(context: Context, { models }: GatewayDependencies): Response {
  const data = models.list().flatMap((model) => [
    modelObject(model),
    ...model.adapters.map((adapter) => ({
      ...modelObject(model),
      id: adapter,
      parent: model.name,
      aliases: [],
    })),
  ]);
  return context.json({ object: "list", data });
}

/** `GET /v1/models/{id}`; ids may have slashes in them. */
export function retrieveModel(context: Context, { models }: GatewayDependencies, id: string): Response {
  return context.json(modelObject(models.select(id)[0]!));
}

function modelObject({ name: id, created, contextLength, aliases }: ModelView) {
  return {
    id,
    object: "model",
    created,
    owned_by: "stator",
    root: id,
    parent: null as string | null,
    // As vLLM names it; clients read the context length from here.
    max_model_len: contextLength,
    context_window: contextLength,
    aliases,
  };
}
