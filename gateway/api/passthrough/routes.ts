import type { Context } from "hono";
import { mayUse } from "../../access/api-key.ts";
import { readBytes, readJsonBody } from "../../access/body.ts";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import { mayUseModel, requireModel } from "../../models/model-scope.ts";
import type { ApiModels } from "../../models/models.ts";
import { isRecord } from "../../prompts/json.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { type ModelInForm, modelInForm } from "./form.ts";
import { type Candidate, forward } from "./forward.ts";
import { modelOfJson } from "./model-name.ts";

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
    const { bytes, json } = await readJsonBody(context.req.raw, dependencies.bodyLimit);
    const { models } = dependencies;
    const name = modelOfJson(json);
    if (name !== undefined) requireModel(context.get("key"), models, name);
    const candidates = models.attached.isEmpty ? [] : candidatesFor(name, context, models);
    if (candidates.length > 0)
      return forward(context, dependencies, { candidates, bytes, body: asObject(json), form: undefined });
    // Before anything else of the body is judged, which is for the model's own routes to do.
    if (!models.attached.isEmpty && name !== undefined && !models.isOfWorkers(name)) models.refuse(name);
    return own(context, dependencies, json);
  };
}

/** Whatever else there is under `/v1/`: what the attached engines make of it. */
export async function forwardAny(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
): Promise<Response> {
  const { models, bodyLimit } = dependencies;
  const { raw } = context.req;
  const type = context.req.header("content-type") ?? "";
  const hasBody = raw.body !== null && raw.method !== "GET" && raw.method !== "HEAD";
  let bytes: Uint8Array | undefined;
  let json: unknown;
  let form: ModelInForm | undefined;
  let name = context.req.query("model");
  if (hasBody && type.toLowerCase().startsWith("application/json")) {
    // Clients name the type of a body also where they send none, with DELETE say.
    ({ bytes, json } = await readJsonBody(raw, bodyLimit, true));
    name = modelOfJson(json) ?? name;
  } else if (hasBody) {
    bytes = await readBytes(raw, bodyLimit);
    form = modelInForm(bytes, type);
    name = form?.name ?? name;
  }
  if (name !== undefined) requireModel(context.get("key"), models, name);
  const candidates = candidatesFor(name, context, models);
  if (candidates.length > 0)
    return forward(context, dependencies, {
      candidates,
      bytes: bytes?.length === 0 ? undefined : bytes,
      body: asObject(json),
      form,
    });
  return name === undefined ? refuseNameless(context, models) : models.refuse(name);
}

/**
 * The model that a request names, or the only one where it names none, and after it those that answer in its place
 * where it cannot, as far as the client's key may use them.
 * @throws ApiError 403 where the only one is out of the key's scope
 */
function candidatesFor(
  name: string | undefined,
  context: Context<GatewayEnv>,
  models: ApiModels,
): Candidate[] {
  const key = context.get("key");
  if (name === undefined) {
    const { only } = models.attached;
    if (only !== undefined) requireModel(key, models, only.model.name);
    return only === undefined ? [] : [{ ...only, rename: undefined }];
  }
  const own = models.ofEngines(name);
  // Workers' own models are not for engines, and have no fallbacks.
  if (own === undefined && models.isOfWorkers(name)) return [];
  const others = models.fallbacks(name).flatMap((other): Candidate[] => {
    const found = mayUseModel(key, models, other) ? models.ofEngines(other) : undefined;
    return found === undefined ? [] : [{ ...found, rename: found.rename ?? other, standsInFor: name }];
  });
  return own === undefined ? others : [own, ...others];
}

/** @throws ApiError 400 with the models that there are */
function refuseNameless(context: Context<GatewayEnv>, { attached }: ApiModels): never {
  const key = context.get("key");
  const names = attached
    .list()
    .filter((model) => mayUse(key, [model.name, ...model.aliases]))
    .map((model) => `'${model.name}'`);
  throw invalidRequest(
    `The request names no model; this gateway has several: ${names.join(", ")}. Name one in the body's field 'model', or as ?model=NAME.`,
    "model",
    "missing_required_parameter",
  );
}

const asObject = (json: unknown): PromptBody | undefined => (isRecord(json) ? json : undefined);
