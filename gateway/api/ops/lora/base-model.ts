import type { Context } from "hono";
import type { GatewayEnv } from "../../../access/env.ts";
import { ApiError, invalidRequest } from "../../../kernel/errors.ts";
import type { Model } from "../../../models/model.ts";
import type { Models } from "../../../models/models.ts";
import { refuseNameless } from "../../named-model.ts";
import type { LoadRequest, UnloadRequest } from "./schemas.ts";

/**
 * The model on which an adapter is to be loaded.
 * @throws ApiError 400 if the name is taken, or it is not clear which model is meant; 404 for an unknown one
 */
export function modelFor(context: Context<GatewayEnv>, models: Models<Model>, body: LoadRequest): Model {
  const { lora_name: name } = body;
  const model = namedIn(context, models, body) ?? models.only?.model ?? nameless(context, models);
  const taken = models.find(name);
  if (taken !== undefined && (taken.adapter === undefined || taken.model !== model))
    throw invalidRequest(
      taken.adapter === undefined
        ? `The LoRA adapter '${name}' needs another name: this one is that of a model.`
        : `The LoRA adapter '${name}' needs another name: the model '${taken.model.name}' has an adapter of this one.`,
      "lora_name",
    );
  return model;
}

/**
 * The model that has the adapter.
 * @throws ApiError 404 if none has it, 400 if several have one of this name
 */
export function modelWith(context: Context<GatewayEnv>, models: Models<Model>, body: UnloadRequest): Model {
  const { lora_name: name } = body;
  const named = namedIn(context, models, body);
  const found = (named === undefined ? models.all() : [named]).filter((model) => model.hasAdapter(name));
  const [model, another] = found;
  if (model === undefined) throw adapterNotFound(name);
  return another === undefined ? model : refuseNameless(context, models, (each) => found.includes(each));
}

const adapterNotFound = (name: string) =>
  new ApiError(
    404,
    "not_found_error",
    `The LoRA adapter '${name}' cannot be found. GET /v1/models lists all.`,
    {
      param: "lora_name",
      code: "model_not_found",
    },
  );

function namedIn(
  context: Context<GatewayEnv>,
  models: Models<Model>,
  { model, base_model_name: base }: UnloadRequest,
): Model | undefined {
  const name = model ?? base ?? context.req.query("model");
  if (name === undefined) return undefined;
  return (models.find(name) ?? models.refuse(name)).model;
}

/** @throws ApiError 400, or 503 while there are no models */
const nameless = (context: Context<GatewayEnv>, models: Models<Model>): never =>
  models.all().length === 0 ? models.refuse("") : refuseNameless(context, models);
