import type { Context } from "hono";
import { z } from "zod";
import { readJsonBody } from "../../access/body.ts";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import type { EngineReport } from "../../models/engine-report.ts";
import type { OpsDependencies } from "../dependencies.ts";
import { validate } from "../openai/validate.ts";
import { strictObject } from "../strict-object.ts";
import { refuseUnknownQuery } from "./query.ts";

/** What `POST /admin/workers` takes. */
export const attachRequest = strictObject({
  url: z.string().min(1).max(2048).describe("The engine's address: http://HOST:PORT."),
  name: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, "must be of 1 to 256 letters, digits and signs, without spaces.")
    .optional()
    .describe("A name for people; default: host and port."),
  tags: z
    .array(z.string().regex(/^[^=,\s]+=[^,\s]+$/, "Tags are written key=value, without spaces or commas."))
    .max(64)
    .optional()
    .describe("What requests may select it by: key=value."),
  api_key: z.string().min(1).max(4096).optional().describe("Key that the engine wants, as a bearer token."),
  block_size: z
    .int()
    .min(1)
    .max(16_384)
    .optional()
    .describe("Tokens in a KV block, where the engine does not tell."),
  kv_events: strictObject({
    endpoint: z.string().describe("tcp://HOST:PORT; * stands for the engine's host."),
    replay: z.string().optional().describe("Where lost events are sent again."),
    topic: z.string().max(256).optional().describe("The topic that the engine publishes under."),
  })
    .optional()
    .describe("Where its KV events come from, where the engine does not tell."),
  wait_ms: z
    .int()
    .min(0)
    .max(60_000)
    .default(5_000)
    .describe("Longest wait in milliseconds until the engine has been looked at."),
});

/** `GET /admin/workers`: every attached engine, and what is known of it. */
export async function listWorkers(context: Context, { engines }: OpsDependencies): Promise<Response> {
  refuseUnknownQuery(context, []);
  return context.json({ object: "list", data: (await engines.report()).map(describe) });
}

/** `GET /admin/workers/{name}` */
export async function showWorker(
  context: Context,
  { engines }: OpsDependencies,
  name: string,
): Promise<Response> {
  refuseUnknownQuery(context, []);
  return context.json(describe(await engines.reportOf(name)));
}

/** `POST /admin/workers`: attaches an engine, which need not be up yet. */
export async function attachWorker(context: Context, dependencies: OpsDependencies): Promise<Response> {
  if (dependencies.hasFixedEngines) throw enginesFixed();
  const { json } = await readJsonBody(context.req.raw, dependencies.bodyLimit);
  const body = validate(attachRequest, json);
  const { engines } = dependencies;
  const engine = engines.attach({
    url: body.url,
    name: body.name,
    tags: body.tags,
    apiKey: body.api_key,
    blockSize: body.block_size,
    kvEvents: body.kv_events && {
      endpoint: body.kv_events.endpoint,
      replayEndpoint: body.kv_events.replay,
      topic: body.kv_events.topic,
    },
  });
  dependencies.log.info("engine attached", { engine: engine.name });
  await engines.looked(engine, body.wait_ms);
  return context.json(describe(await engines.reportOf(engine.name)), 201);
}

/** `DELETE /admin/workers/{name}`: no new requests, and out when those that run have ended; at once with `now`. */
export async function detachWorker(
  context: Context,
  { engines, hasFixedEngines }: OpsDependencies,
  name: string,
): Promise<Response> {
  if (hasFixedEngines) throw enginesFixed();
  refuseUnknownQuery(context, ["now"]);
  const report = await engines.reportOf(name);
  if (readNow(context.req.query("now"))) engines.detach(name);
  else engines.drain(name);
  const state = engines.engines.find((engine) => engine.name === name)?.state ?? "gone";
  return context.json({ ...describe(report), state }, 202);
}

const enginesFixed = () =>
  new ApiError(
    501,
    "invalid_request_error",
    "On this runtime the engines are those of STATOR_ENGINES: change it, and start the gateway anew.",
    { code: "engines_fixed" },
  );

function readNow(text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw invalidRequest("Invalid value for 'now': must be true or false.", "now");
}

function describe(engine: EngineReport) {
  const { kvEvents } = engine;
  return {
    name: engine.name,
    url: engine.url,
    state: engine.state,
    reason: engine.reason ?? null,
    kind: engine.kind ?? null,
    version: engine.version ?? null,
    models: engine.models.map(({ name, aliases, adapters, contextLength, tokens }) => ({
      name,
      aliases,
      adapters,
      context_length: contextLength ?? null,
      tokens,
    })),
    block_size: engine.blockSize ?? null,
    total_blocks: engine.totalBlocks ?? null,
    data_parallel_size: engine.dataParallelSize,
    kv_events: {
      kind: kvEvents.kind,
      endpoints: kvEvents.endpoints,
      is_connected: kvEvents.isConnected,
      batches: kvEvents.batches,
    },
    limitations: engine.limitations.map(({ code, what, flag }) => ({ code, what, flag: flag ?? null })),
  };
}
