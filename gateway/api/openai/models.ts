import type { Context } from "hono";
import { mayUse } from "../../access/api-key.ts";
import type { GatewayEnv } from "../../access/env.ts";
import { requireModel } from "../../models/model-scope.ts";
import type { ListedModel } from "../../models/models.ts";
import type { GatewayDependencies } from "../dependencies.ts";

/** `GET /v1/models` */
export function listModels(context: Context<GatewayEnv>, { models }: GatewayDependencies): Response {
  const key = context.get("key");
  const data = models
    .list()
    .flatMap((model) => [
      ...(mayUse(key, [model.name, ...model.aliases]) ? [modelObject(model)] : []),
      ...model.adapters
        .filter((adapter) => mayUse(key, [adapter]))
        .map((adapter) => adapterObject(model, adapter)),
    ]);
  if (!isAnthropic(context)) return context.json({ object: "list", data });
  const all = data.map(anthropicModel);
  return context.json({
    data: all,
    has_more: false,
    first_id: all.at(0)?.id ?? null,
    last_id: all.at(-1)?.id ?? null,
  });
}

/** `GET /v1/models/{id}`; ids may contain slashes. */
export function retrieveModel(
  context: Context<GatewayEnv>,
  { models }: GatewayDependencies,
  id: string,
): Response {
  requireModel(context.get("key"), models, id);
  const listed = models.listed(id);
  const adapter = models.find(id)?.adapter;
  if (adapter !== undefined && !listed.adapters.includes(adapter)) models.refuse(id);
  const model = adapter === undefined ? modelObject(listed) : adapterObject(listed, adapter);
  return context.json(isAnthropic(context) ? anthropicModel(model) : model);
}

/** Clients of Anthropic's API always send this header. */
const isAnthropic = (context: Context<GatewayEnv>) => context.req.header("anthropic-version") !== undefined;

/** https://docs.claude.com/en/api/models-list */
const anthropicModel = ({ id, created }: ReturnType<typeof modelObject>) => ({
  type: "model",
  id,
  display_name: id,
  created_at: new Date(created * 1000).toISOString(),
});

/** A LoRA adapter, as vLLM lists it. */
const adapterObject = (model: ListedModel, adapter: string) => ({
  ...modelObject(model),
  id: adapter,
  root: adapter,
  parent: model.name,
  aliases: [],
});

function modelObject({ name: id, created, contextLength, aliases }: ListedModel) {
  return {
    id,
    object: "model",
    created,
    owned_by: "stator",
    root: id,
    parent: null as string | null,
    // vLLM's name; clients read the context length from here.
    max_model_len: contextLength,
    context_window: contextLength,
    aliases,
  };
}
