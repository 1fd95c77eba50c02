import type { Context } from "hono";
import { z } from "zod";
import { drainEndpoint, encodeDrainRequest, encodeRoleRequest, roleEndpoint, workerRoles } from "#runtime";
import { readJsonBody } from "../../access/body.ts";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import type { EngineReport } from "../../models/engine-report.ts";
import type { WorkerReport } from "../../models/worker-report.ts";
import type { OpsDependencies } from "../dependencies.ts";
import { validate } from "../openai/validate.ts";
import { strictObject } from "../strict-object.ts";
import { askWorker, whenKnown } from "./ask-worker.ts";
import { refuseUnknownQuery } from "./query.ts";

const engineRole = z.enum(workerRoles);

/** The body of `PATCH /admin/workers/{name}`. */
export const changeRequest = strictObject({
  role: engineRole.describe("The part in requests that it takes from now on."),
});

/** The body of `POST /admin/workers`. */
export const attachRequest = strictObject({
  url: z.string().min(1).max(2048).describe("The engine's address: http://HOST:PORT."),
  name: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, "must be 1 to 256 printable ASCII characters without spaces.")
    .optional()
    .describe("The engine's name; default: host and port."),
  tags: z
    .array(z.string().regex(/^[^=,\s]+=[^,\s]+$/, "tags are written key=value, without spaces or commas."))
    .max(64)
    .optional()
    .describe("Tags by which requests may select it: key=value."),
  api_key: z.string().min(1).max(4096).optional().describe("The engine's API key, sent as a bearer token."),
  block_size: z
    .int()
    .min(1)
    .max(16_384)
    .optional()
    .describe("Tokens per KV block, if the engine does not report it."),
  role: engineRole.optional().describe("Its part in requests; default: what it reports, else aggregated."),
  kv_events: strictObject({
    endpoint: z.string().describe("tcp://HOST:PORT; * stands for the engine's host."),
    replay: z.string().optional().describe("The address from which to replay lost events."),
    topic: z.string().max(256).optional().describe("The topic that the engine publishes under."),
  })
    .optional()
    .describe("Where to subscribe to its KV events, if the engine does not report it."),
  wait_ms: z
    .int()
    .min(0)
    .max(60_000)
    .default(5_000)
    .describe("How long to wait for the engine's first probe, in milliseconds."),
});

/** `GET /admin/workers`: every attached engine and every worker. */
export async function listWorkers(
  context: Context,
  { engines, workers }: OpsDependencies,
): Promise<Response> {
  refuseUnknownQuery(context, []);
  const all = [...(await engines.report()), ...workers.report()];
  return context.json({ object: "list", data: all.map(describe) });
}

/** `GET /admin/workers/{name}` */
export async function showWorker(
  context: Context,
  { engines, workers }: OpsDependencies,
  name: string,
): Promise<Response> {
  refuseUnknownQuery(context, []);
  return context.json(describe(workers.reportOf(name) ?? (await engines.reportOf(name))));
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
    role: body.role,
    kvEvents: body.kv_events && {
      endpoint: body.kv_events.endpoint,
      replayEndpoint: body.kv_events.replay,
      topic: body.kv_events.topic,
    },
  });
  dependencies.log.info("engine attached", { engine: engine.name });
  await engines.firstProbe(engine, body.wait_ms);
  return context.json(describe(await engines.reportOf(engine.name)), 201);
}

/** `PATCH /admin/workers/{name}`: gives an engine another role, or asks a worker to take it. */
export async function changeWorker(
  context: Context,
  { engines, workers, bodyLimit, log }: OpsDependencies,
  name: string,
): Promise<Response> {
  refuseUnknownQuery(context, []);
  const { json } = await readJsonBody(context.req.raw, bodyLimit);
  const { role } = validate(changeRequest, json);
  const worker = workers.worker(name);
  if (worker === undefined) engines.setRole(name, role);
  else
    await askWorker(worker, {
      endpoint: roleEndpoint,
      payload: encodeRoleRequest(role),
      wish: "change its role",
      advice: "Start it with --role instead.",
    });
  if (worker !== undefined) await whenKnown(() => workers.worker(name)?.instance.card.role === role);
  log.info("role changed", { worker: name, role });
  const report = worker === undefined ? await engines.reportOf(name) : workers.reportOf(name)!;
  return context.json({ ...describe(report), role });
}

/**
 * `DELETE /admin/workers/{name}`: drains an engine and detaches it, or asks a worker to leave. After `within`, running
 * answers move to other engines or workers; with `now`, an engine is detached at once.
 */
export async function detachWorker(
  context: Context,
  { engines, workers, hasFixedEngines }: OpsDependencies,
  name: string,
): Promise<Response> {
  refuseUnknownQuery(context, ["now", "within"]);
  const withinMs = readWithin(context.req.query("within"));
  const isNow = readNow(context.req.query("now"));
  if (isNow && withinMs !== undefined)
    throw invalidRequest("'now' and 'within' exclude each other: give one of them.", "now");
  const worker = workers.worker(name);
  if (worker !== undefined) {
    const report = describe(workers.reportOf(name)!);
    const payload = encodeDrainRequest(isNow ? 0 : withinMs);
    const advice = "Stop its process instead.";
    await askWorker(worker, { endpoint: drainEndpoint, payload, wish: "leave", advice });
    return context.json({ ...report, state: "draining" }, 202);
  }
  if (hasFixedEngines) throw enginesFixed();
  const report = await engines.reportOf(name);
  if (isNow) engines.detach(name);
  else engines.drain(name, withinMs);
  const state = engines.engines.find((engine) => engine.name === name)?.state ?? "gone";
  return context.json({ ...describe(report), state }, 202);
}

const enginesFixed = () =>
  new ApiError(
    501,
    "invalid_request_error",
    "On this runtime the engines come from STATOR_ENGINES: change it and restart the gateway.",
    { code: "engines_fixed" },
  );

function readNow(text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw invalidRequest("Invalid value for 'now': must be true or false.", "now");
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000 } as const;
const LONGEST_WITHIN_MS = 3_600_000;

/** A duration such as `5s`, `500ms` or `2m`; without a unit, in seconds. */
function readWithin(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const { amount, unit = "s" } = /^(?<amount>\d+(\.\d+)?)(?<unit>ms|s|m)?$/.exec(text)?.groups ?? {};
  const ms = Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  if (ms <= LONGEST_WITHIN_MS) return ms;
  throw invalidRequest("Invalid value for 'within': must be a duration up to 1 h, such as 5s.", "within");
}

function describe(engine: EngineReport | WorkerReport) {
  const { kvEvents } = engine;
  return {
    name: engine.name,
    url: engine.url,
    state: engine.state,
    reason: engine.reason ?? null,
    kind: engine.kind ?? null,
    role: engine.role,
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
      gaps: kvEvents.gaps ?? null,
    },
    limitations: engine.limitations.map(({ code, what, flag }) => ({ code, what, flag: flag ?? null })),
  };
}
