import type { Context } from "hono";
import { mayUse } from "../access/api-key.ts";
import type { GatewayEnv } from "../access/env.ts";
import { invalidRequest } from "../kernel/errors.ts";
import type { Model, WorkerSide } from "../models/model.ts";
import type { Models } from "../models/models.ts";

/**
 * The model that a request names, or the only one, as served by workers.
 * @throws ApiError 400 if it names none of several, 404 for an unknown one, 503 if its workers cannot answer yet
 */
export function workersOf(
  context: Context<GatewayEnv>,
  models: Models<Model>,
  name: string | null | undefined,
): WorkerSide {
  const named = name ?? models.only?.model.name;
  if (named !== undefined) return models.ofWorkers(named);
  return models.all().length === 0 ? models.refuse("") : refuseNameless(context, models);
}

/**
 * @param isMeant whether the message may list a model; default: all
 * @throws ApiError 400; the message lists the models that the client's key may use
 */
export function refuseNameless(
  context: Context<GatewayEnv>,
  models: Models<Model>,
  isMeant: (model: Model) => boolean = () => true,
): never {
  const key = context.get("key");
  const names = models
    .all()
    .filter((model) => isMeant(model) && mayUse(key, [model.name, ...model.aliases]))
    .map((model) => `'${model.name}'`);
  throw invalidRequest(
    `The request names no model, and this gateway has several: ${names.join(", ")}. Name one in the body's field 'model', or with ?model=NAME.`,
    "model",
    "missing_required_parameter",
  );
}
