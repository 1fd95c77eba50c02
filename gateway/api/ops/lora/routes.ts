import type { Context } from "hono";
import type { z } from "zod";
import { readJsonBody } from "../../../access/body.ts";
import type { GatewayEnv } from "../../../access/env.ts";
import { invalidRequest, noWorkerReady } from "../../../kernel/errors.ts";
import type { OpsDependencies } from "../../dependencies.ts";
import { validate } from "../../openai/validate.ts";
import { modelFor, modelWith } from "./base-model.ts";
import { changeAll } from "./change.ts";
import { holdersOf } from "./holders.ts";
import { loadRequest, unloadRequest } from "./schemas.ts";

/**
 * `POST /v1/load_lora_adapter`: loads an adapter on all workers and engines of its model that lack it, or on all of them
 * in place.
 */
export async function loadAdapter(
  context: Context<GatewayEnv>,
  dependencies: OpsDependencies,
): Promise<Response> {
  const body = await read(context, dependencies, loadRequest);
  const { lora_name: adapter, load_inplace: isInPlace } = body;
  const model = modelFor(context, dependencies.models, body);
  const holders = holdersOf(model, dependencies);
  if (holders.length === 0) throw noWorkerReady(model.name);
  const lacking = isInPlace ? holders : holders.filter((holder) => !holder.has(adapter));
  if (lacking.length === 0)
    throw invalidRequest(
      `The LoRA adapter '${adapter}' has already been loaded. To replace it, set 'load_inplace' to true.`,
      "lora_name",
    );
  const apply = (holder: (typeof holders)[number]) => holder.load(body);
  await changeAll(lacking, { verb: "load", adapter, apply }, dependencies.log);
  return context.text(`Success: LoRA adapter '${adapter}' added successfully.`);
}

/** `POST /v1/unload_lora_adapter`: unloads an adapter from all workers and engines that have it. */
export async function unloadAdapter(
  context: Context<GatewayEnv>,
  dependencies: OpsDependencies,
): Promise<Response> {
  const body = await read(context, dependencies, unloadRequest);
  const { lora_name: adapter } = body;
  const model = modelWith(context, dependencies.models, body);
  const holders = holdersOf(model, dependencies).filter((holder) => holder.has(adapter));
  if (holders.length === 0) throw noWorkerReady(model.name);
  const apply = (holder: (typeof holders)[number]) => holder.unload(body);
  await changeAll(holders, { verb: "unload", adapter, apply }, dependencies.log);
  return context.text(`Success: LoRA adapter '${adapter}' removed successfully.`);
}

async function read<Body>(
  context: Context<GatewayEnv>,
  { bodyLimit }: OpsDependencies,
  schema: z.ZodType<Body>,
): Promise<Body> {
  const { json } = await readJsonBody(context.req.raw, bodyLimit);
  return validate(schema, json);
}
