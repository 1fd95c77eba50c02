import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createLogger, type Logger } from "#runtime";
import { manageLifecycle } from "#runtime/node";
import { checkExposure } from "../commands/access-settings.ts";
import { requireFreePort } from "../commands/free-port.ts";
import { isolationSettings } from "../commands/isolation-settings.ts";
import { loadEngine } from "../commands/load-engine.ts";
import { kvEventsKey } from "../commands/privacy-settings.ts";
import { checkProjector, kvEventsAddress, kvTokens, modelNaming } from "../commands/worker-options.ts";
import { defaultModelFolder, fetchModel, fetchProjector, type ModelFile } from "../models/index.ts";
import { progressFor } from "../models/progress.ts";
import { gatewayOptions, type UpOptions, workerOptions } from "../options/tables.ts";
import { followParent } from "../supervisor-link.ts";
import { announce } from "./banner.ts";
import { SupervisedChild } from "./child.ts";
import { type ClusterServers, startClusterServers } from "./cluster.ts";
import { ensureLlamaBuild } from "./llama-build.ts";
import { type PlannedWorker, plannedWorkers } from "./planned-workers.ts";
import { ReadyGroup } from "./ready-group.ts";
import { createRunFolder, removeRunFolder } from "./run-folder.ts";
import { untilServing } from "./serving.ts";

/** Starts a gateway and workers as child processes and supervises them until a signal. Returns the exit code. */
export async function up(options: UpOptions): Promise<number> {
  checkExposure(options);
  if (options["kv-events-key"] !== undefined) kvEventsKey(options);
  isolationSettings(options);
  await requireFreePort(options);
  if (options.cluster && options.port > 0) await requireFreePort({ ...options, port: options.port + 1 });
  const log = createLogger({ name: "stator", level: options["log-level"], format: options["log-format"] });
  const drainMs = options["drain-timeout"] * 1000;
  const hangMs = options["hang-timeout"] * 1000;
  const lifecycle = manageLifecycle({ log, deadlineMs: drainMs * 2 + 10_000 });
  followParent(lifecycle);

  const engine = (await loadEngine(options.engine, "--engine")).name;
  const planned = plannedWorkers(engine, options);
  checkProjector(engine, options);
  const preparing =
    engine === "llama" ? prepareModel(options, planned.length, log, lifecycle.stopping) : undefined;
  // Wait for an aborted download to clean up after itself.
  lifecycle.onShutdown("stop the download", () => preparing?.then(ignore, ignore));
  const model = await preparing;
  if (lifecycle.stopping.aborted) return new Promise<never>(() => {});

  const folder = createRunFolder();
  const shared = withRunSecrets(options, folder);
  const servers = options.cluster ? await startServers(folder, log) : undefined;
  const gateways = servers === undefined ? ["gateway"] : ["gateway", "gateway-2"];
  const ready = new ReadyGroup(planned.length + gateways.length);
  const workers = planned.map((worker, index) =>
    startChild(
      worker.name,
      workerArguments(shared, { ...worker, index, count: planned.length, folder, model, servers }),
      ready,
      hangMs,
      log,
    ),
  );
  const fronts = gateways.map((name, index) =>
    startChild(name, gatewayArguments(shared, index, folder, servers), ready, hangMs, log),
  );
  // Clean up also if a second signal cuts the shutdown short.
  process.on("exit", () => {
    for (const child of [...fronts, ...workers]) child.kill();
    servers?.kill();
    removeRunFolder(folder);
  });

  lifecycle.stopping.addEventListener("abort", () => {
    for (const child of [...fronts, ...workers]) child.expectEnd();
  });
  lifecycle.onShutdown("stop the gateways", async () => {
    if (ready.isComplete)
      log.info("waiting for running answers to finish; press Ctrl-C again to stop at once");
    await Promise.all(fronts.map((front) => front.stop(drainMs + 1_000)));
  });
  lifecycle.onShutdown("stop the workers", async () => {
    await Promise.all(workers.map((worker) => worker.stop(drainMs + 1_000)));
  });
  lifecycle.onShutdown("stop etcd and NATS", () => servers?.stop());

  const failure = await ready.settled;
  const outcome =
    failure === undefined ? await untilServing(ready.urls, planned.length, lifecycle.stopping) : { failure };
  if (outcome !== undefined && "failure" in outcome) lifecycle.shutdown(outcome.failure, 1);
  else if (outcome !== undefined && !lifecycle.stopping.aborted)
    announce(shared, outcome.model, planned, ready.urls, servers, log);
  return new Promise<never>(() => {});
}

const ignore = () => {};

/** The secrets that were not given: for this run, in its folder, the same for all processes. */
function withRunSecrets(options: UpOptions, folder: string): UpOptions {
  const make = (name: "kv-events-key" | "isolation-secret", isNeeded: boolean) => {
    if (!isNeeded || options[name] !== undefined) return options[name];
    const path = join(folder, name);
    writeFileSync(path, randomBytes(32).toString("hex"), { mode: 0o600 });
    return path;
  };
  return {
    ...options,
    "kv-events-key": make("kv-events-key", options["private-kv-events"]),
    "isolation-secret": make("isolation-secret", options.isolate !== "none"),
  };
}

async function startServers(folder: string, log: Logger): Promise<ClusterServers> {
  try {
    return await startClusterServers(join(folder, "servers"), log);
  } catch (error) {
    removeRunFolder(folder);
    throw error;
  }
}

interface PreparedModel extends ModelFile {
  /** The path of its projector, if it has one. */
  readonly mmproj: string | undefined;
}

async function prepareModel(
  options: UpOptions,
  workers: number,
  log: Logger,
  signal: AbortSignal,
): Promise<PreparedModel | undefined> {
  const progress = progressFor(log, options["log-format"]);
  try {
    await ensureLlamaBuild(options.gpu, progress.say);
    const fetching = {
      folder: options["model-folder"] ?? defaultModelFolder(),
      kvTokens: kvTokens(options, workers),
      ...{ progress, signal },
    };
    const model = await fetchModel(options.model, fetching);
    return { ...model, mmproj: options.mmproj && (await fetchProjector(options.mmproj, fetching)) };
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function startChild(
  name: string,
  args: readonly string[],
  ready: ReadyGroup,
  hangTimeoutMs: number,
  log: Logger,
): SupervisedChild {
  const current = [...args];
  const child = new SupervisedChild({
    name,
    args: current,
    hangTimeoutMs,
    onReady: (url) => {
      // After a restart, clients find it at the port that the system chose first.
      const index = current.indexOf("--port=0");
      if (index >= 0) current[index] = `--port=${new URL(url).port}`;
      ready.add(name, url);
    },
    onCrash: (reason, delayMs) => {
      // A child that fails its first start would fail again: a wrong model file, a port in use.
      if (ready.fail(name, reason)) return false;
      log.error("a child process exited unexpectedly; restarting it", { child: name, reason, delayMs });
      return true;
    },
  });
  child.start();
  return child;
}

interface WorkerSettings extends PlannedWorker {
  readonly index: number;
  /** How many workers share the cores. */
  readonly count: number;
  readonly folder: string;
  readonly model: PreparedModel | undefined;
  readonly servers: ClusterServers | undefined;
}

function workerArguments(options: UpOptions, settings: WorkerSettings): string[] {
  const { name, role, engine, index, count, folder, model, servers } = settings;
  // The engines' threads spin while they wait for each other, so together they must fit the cores.
  const threads = Math.max(1, Math.floor(availableParallelism() / count));
  const flags = {
    ...inherited(options, workerOptions),
    discovery: servers?.discovery ?? `file:${join(folder, "discovery")}`,
    listen: servers === undefined ? `unix:${join(folder, `${name}.sock`)}` : undefined,
    nats: servers?.nats,
    name,
    role,
    threads,
    // Each worker is a separate process.
    workers: undefined,
    "kv-events-endpoint": kvEventsAddress(options, "kv-events-endpoint", index),
    "kv-events-replay-endpoint": kvEventsAddress(options, "kv-events-replay-endpoint", index),
    ...(engine === "ocr" ? ocrFlags(options) : modelFlags(options, model)),
  };
  return ["worker", engine === "ocr" ? engine : options.engine, ...toFlags(flags)];
}

/** A worker that reads pictures has models of its own. */
const ocrFlags = ({ ocr }: UpOptions): Record<string, unknown> => ({
  model: ocr,
  ...{ alias: undefined, "model-name": undefined, mmproj: undefined, lora: undefined, fault: undefined },
  ...{ "kv-events-endpoint": undefined, "kv-events-replay-endpoint": undefined },
});

/** A worker gets the file, and what the catalogue knows about it. */
function modelFlags(options: UpOptions, model: PreparedModel | undefined): Record<string, unknown> {
  if (model === undefined) return { alias: [...options.alias, "default"] };
  const { modelName, aliases } = modelNaming(options, model);
  return {
    model: model.path,
    mmproj: model.mmproj,
    "model-name": modelName,
    alias: [...aliases, "default"],
    "tool-parser": options["tool-parser"] ?? model.toolParser,
    "reasoning-parser": options["reasoning-parser"] ?? model.reasoningParser,
  };
}

/** The port of the gateway with this index; 0 lets the system pick each. */
const consecutive = (port: number, index: number) => (port === 0 ? 0 : port + index);

/** @param index the gateways have consecutive ports */
const gatewayArguments = (
  options: UpOptions,
  index: number,
  folder: string,
  servers: ClusterServers | undefined,
): string[] => [
  "gateway",
  ...toFlags({
    ...inherited(options, gatewayOptions),
    port: consecutive(options.port, index),
    "admin-port": options["admin-port"] && consecutive(options["admin-port"], index),
    discovery: servers?.discovery ?? `file:${join(folder, "discovery")}`,
    nats: servers?.nats,
    // Its gateways share what clients keep, as on several machines.
    "responses-store": options["responses-store"] ?? servers?.nats,
    // There is no load balancer, and without a cluster there are no other gateways.
    "drain-delay": 0,
    "peer-listen": servers === undefined ? "none" : undefined,
  }),
];

/** The options that a child's command shares with `up`. */
function inherited(options: UpOptions, specs: object): Record<string, unknown> {
  return { ...Object.fromEntries(Object.entries(options).filter(([name]) => name in specs)), config: "none" };
}

function toFlags(values: Record<string, unknown>): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return [];
    return [`--${name}=${Array.isArray(value) ? value.map(toText).join(",") : value}`];
  });
}

/** An item of a list; a pair is a name and its value. */
const toText = (item: unknown) => (Array.isArray(item) ? item.join("=") : String(item));
