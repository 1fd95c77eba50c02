import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createLogger, type Logger } from "#runtime";
import { manageLifecycle } from "#runtime/node";
import { loadWorker } from "#workers";
import { checkExposure } from "../commands/access-settings.ts";
import { requireFreePort } from "../commands/listen-error.ts";
import { kvEventsEndpoint } from "../commands/worker-options.ts";
import { defaultModelFolder, fetchModel, type LocalModel } from "../models/index.ts";
import { progressFor } from "../models/progress.ts";
import { gatewayOptions, type UpOptions, workerOptions } from "../options/tables.ts";
import { followParent } from "../supervisor-link.ts";
import { announce } from "./banner.ts";
import { SupervisedChild } from "./child.ts";
import { ensureLlamaBuild } from "./llama-build.ts";
import { createRunFolder, removeRunFolder } from "./run-folder.ts";
import { untilServing } from "./serving.ts";

/** Starts a gateway and workers as child processes and supervises them until a signal. Returns the exit code. */
export async function up(options: UpOptions): Promise<number> {
  checkExposure(options);
  await requireFreePort(options);
  const log = createLogger({ name: "stator", level: options["log-level"], format: options["log-format"] });
  const drainMs = options["drain-timeout"] * 1000;
  const hangMs = options["hang-timeout"] * 1000;
  const lifecycle = manageLifecycle({ log, deadlineMs: drainMs * 2 + 10_000 });
  followParent(lifecycle);

  const engine = (await loadWorker(options.engine)).name;
  const preparing = engine === "llama" ? prepareModel(options, log, lifecycle.stopping) : undefined;
  // Wait for an aborted download to clean up after itself.
  lifecycle.onShutdown("stop the download", () => preparing?.then(ignore, ignore));
  const model = await preparing;
  if (lifecycle.stopping.aborted) return new Promise<never>(() => {});

  const folder = createRunFolder();
  const ready = new ReadyGroup(options.workers + 1);
  const workers = Array.from({ length: options.workers }, (_, index) =>
    startChild(
      `${engine}-${index}`,
      workerArguments(options, engine, index, folder, model),
      ready,
      hangMs,
      log,
    ),
  );
  const gateway = startChild("gateway", gatewayArguments(options, folder), ready, hangMs, log);
  // Clean up also if a second signal cuts the shutdown short.
  process.on("exit", () => {
    for (const child of [gateway, ...workers]) child.kill();
    removeRunFolder(folder);
  });

  lifecycle.stopping.addEventListener("abort", () => {
    for (const child of [gateway, ...workers]) child.expectEnd();
  });
  lifecycle.onShutdown("stop the gateway", () => {
    if (ready.isComplete)
      log.info("waiting for running answers to finish; press Ctrl-C again to stop at once");
    return gateway.stop(drainMs + 1_000);
  });
  lifecycle.onShutdown("stop the workers", async () => {
    await Promise.all(workers.map((worker) => worker.stop(drainMs + 1_000)));
  });

  const failure = await ready.settled;
  const outcome =
    failure === undefined ? await untilServing(ready.urls, options.workers, lifecycle.stopping) : { failure };
  if (outcome !== undefined && "failure" in outcome) lifecycle.shutdown(outcome.failure, 1);
  else if (outcome !== undefined && !lifecycle.stopping.aborted)
    announce(options, outcome.model, ready.urls, log);
  return new Promise<never>(() => {});
}

const ignore = () => {};

async function prepareModel(
  options: UpOptions,
  log: Logger,
  signal: AbortSignal,
): Promise<LocalModel | undefined> {
  const progress = progressFor(log, options["log-format"]);
  try {
    await ensureLlamaBuild(options.gpu, progress.say);
    return await fetchModel(options.model, {
      folder: options["model-folder"] ?? defaultModelFolder(),
      progress,
      signal,
    });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** Waits until every child is ready, or one has exited before that. */
class ReadyGroup {
  readonly urls = new Map<string, string>();
  readonly #missing: number;
  readonly #outcome = Promise.withResolvers<string | undefined>();

  constructor(count: number) {
    this.#missing = count;
  }

  /** Undefined when all are ready; else what went wrong. */
  get settled(): Promise<string | undefined> {
    return this.#outcome.promise;
  }

  get isComplete(): boolean {
    return this.urls.size === this.#missing;
  }

  add(name: string, url: string): void {
    this.urls.set(name, url);
    if (this.isComplete) this.#outcome.resolve(undefined);
  }

  fail(name: string, reason: string): boolean {
    if (this.urls.has(name)) return false;
    this.#outcome.resolve(`${name} did not start (${reason})`);
    return true;
  }
}

function startChild(
  name: string,
  args: readonly string[],
  ready: ReadyGroup,
  hangTimeoutMs: number,
  log: Logger,
): SupervisedChild {
  const child = new SupervisedChild({
    name,
    args,
    hangTimeoutMs,
    onReady: (url) => ready.add(name, url),
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

function workerArguments(
  options: UpOptions,
  engine: string,
  index: number,
  folder: string,
  model: LocalModel | undefined,
): string[] {
  const name = `${engine}-${index}`;
  // The engines' threads spin while they wait for each other, so together they must fit the cores.
  const threads = Math.max(1, Math.floor(availableParallelism() / options.workers));
  const flags = {
    ...inherited(options, workerOptions),
    discovery: `file:${join(folder, "discovery")}`,
    listen: `unix:${join(folder, `${name}.sock`)}`,
    name,
    threads,
    // Each worker is a separate process.
    workers: undefined,
    "kv-events-endpoint": kvEventsEndpoint(options, "kv-events-endpoint", index),
    "kv-events-replay-endpoint": kvEventsEndpoint(options, "kv-events-replay-endpoint", index),
    ...(model && { model: model.path, "model-name": options["model-name"] ?? model.name }),
    alias: [...options.alias, "default"],
  };
  return ["worker", options.engine, ...toFlags(flags)];
}

const gatewayArguments = (options: UpOptions, folder: string): string[] => [
  "gateway",
  ...toFlags({
    ...inherited(options, gatewayOptions),
    discovery: `file:${join(folder, "discovery")}`,
    // There is no load balancer, and there are no other gateways.
    "drain-delay": 0,
    "peer-listen": "none",
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
