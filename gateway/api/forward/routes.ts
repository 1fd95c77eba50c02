import type { Context } from "hono";
import { mayUse } from "../../access/api-key.ts";
import { type JsonBody, readBytes, readJsonBody } from "../../access/body.ts";
import { requireModel } from "../../access/models.ts";
import type { GatewayDependencies } from "../../dependencies.ts";
import type { GatewayEnv } from "../../env.ts";
import { invalidRequest } from "../../errors.ts";
import { isRecord } from "../../pipeline/preprocess/prompts/json.ts";
import type { PromptBody } from "../../pipeline/preprocess/prompts/prompt-reader.ts";
import type { ApiModels, FoundModel } from "../../pipeline/serving/models.ts";
import { type ForwardTarget, forward } from "./forward.ts";
import { modelOfForm, modelOfJson } from "./model-name.ts";

/** A route for models of this gateway's workers, which is given the body's JSON. */
type OwnRoute = (
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  json: unknown,
) => Promise<Response>;

/** Passes the request on where an attached engine serves its model; else the gateway answers it with its own workers. */
export function forwardOr(
  own: OwnRoute,
): (context: Context<GatewayEnv>, dependencies: GatewayDependencies) => Promise<Response> {
  return async (context, dependencies) => {
    const body = await readJsonBody(context.req.raw, dependencies.bodyLimit);
    const name = modelOfJson(body.json);
    if (name !== undefined) requireModel(context.get("key"), dependencies.models, name);
    const target = jsonTarget(body, context, dependencies);
    return target === undefined
      ? own(context, dependencies, body.json)
      : forward(context, dependencies, target);
  };
}

/** Whatever else there is under `/v1/`: what the attached engines make of it. */
export async function forwardAny(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
): Promise<Response> {
  const target = await anyTarget(context, dependencies);
  return forward(context, dependencies, target);
}

function jsonTarget(
  { bytes, json }: JsonBody,
  context: Context<GatewayEnv>,
  { models }: GatewayDependencies,
): ForwardTarget | undefined {
  const { attached } = models;
  if (attached.isEmpty) return undefined;
  const name = modelOfJson(json);
  const found = name === undefined ? onlyOne(context, models) : attached.find(name);
  // Before anything else of the body is judged, which is for the model's own routes to do.
  if (found === undefined && name !== undefined && !models.isOfWorkers(name)) models.refuse(name);
  return found && { ...found, bytes, body: asObject(json) };
}

/** The model of a request that names none, where there is exactly one. @throws ApiError 403 out of the key's scope */
function onlyOne(context: Context<GatewayEnv>, models: ApiModels): FoundModel | undefined {
  const { only } = models.attached;
  if (only !== undefined) requireModel(context.get("key"), models, only.model.name);
  return only;
}

async function anyTarget(
  context: Context<GatewayEnv>,
  { models, bodyLimit }: GatewayDependencies,
): Promise<ForwardTarget> {
  const { raw } = context.req;
  const { attached } = models;
  const type = (context.req.header("content-type") ?? "").toLowerCase();
  const hasBody = raw.body !== null && raw.method !== "GET" && raw.method !== "HEAD";
  let bytes: Uint8Array | undefined;
  let json: unknown;
  let name = context.req.query("model");
  if (hasBody && type.startsWith("application/json")) {
    ({ bytes, json } = await readJsonBody(raw, bodyLimit));
    name = modelOfJson(json) ?? name;
  } else if (hasBody) {
    bytes = await readBytes(raw, bodyLimit);
    if (type.startsWith("multipart/form-data")) name = modelOfForm(bytes) ?? name;
  }
  if (name !== undefined) {
    requireModel(context.get("key"), models, name);
    const found = attached.find(name);
    return found === undefined ? models.refuse(name) : { ...found, bytes, body: asObject(json) };
  }
  const only = onlyOne(context, models);
  if (only !== undefined) return { ...only, bytes, body: asObject(json) };
  const key = context.get("key");
  const names = attached
    .list()
    .filter((model) => mayUse(key, [model.name, ...model.aliases]))
    .map((model) => `'${model.name}'`);
  throw invalidRequest(
    `The request names no model; this gateway has several: ${names.join(", ")}.`,
    "model",
    "missing_required_parameter",
  );
}

const asObject = (json: unknown): PromptBody | undefined => (isRecord(json) ? json : undefined);
