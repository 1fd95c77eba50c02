import type { Context } from "hono";
import { z } from "zod";
import { mayUse } from "../access/api-key.ts";
import type { GatewayEnv } from "../access/env.ts";
import { invalidRequest } from "../kernel/errors.ts";
import type { Model, WorkerSide } from "../models/model.ts";
import type { Models } from "../models/models.ts";
import { validate } from "./openai/validate.ts";

/** The field with the model's name, in bodies that need not name it. */
export const optionalModel = z
  .string()
  .min(1)
  .nullish()
  .describe("Name or alias of the model; may be left out if there is only one.");

const body = z.object({ model: optionalModel });

/**
 * The model that a request's body names, or the only one, as served by workers.
 * @throws ApiError 400 if it names none of several, 404 for an unknown one, 503 if its workers cannot answer yet
 */
export function workersOf(context: Context<GatewayEnv>, models: Models<Model>, raw: unknown): WorkerSide {
  const named = validate(body, raw).model ?? models.only?.model.name;
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
