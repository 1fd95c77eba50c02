import { hostname } from "node:os";
import { type Logger, rankEndpoint } from "#runtime";
import { isKubernetes } from "#runtime/node";
import { type EngineOptions, engineNames, readTokenizerFile, type ZmqEventsOptions } from "#workers";
import { defaultModelFolder, fetchModel, fetchProjector, type ModelFile } from "../models/index.ts";
import { progressFor } from "../models/progress.ts";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { workerOptions } from "../options/tables.ts";

export type WorkerCommandOptions = OptionValues<typeof workerOptions>;

/** How the model's answers are read; undefined where the chat template decides. */
interface Parsers {
  readonly toolParser: string | undefined;
  readonly reasoningParser: string | undefined;
}

/**
 * Options for the engine of that name, and the parsers for its model.
 * @throws UsageError for an option that is not for this engine
 */
export async function readEngineOptions(
  engine: string,
  options: WorkerCommandOptions,
  log: Logger,
): Promise<{ readonly engineOptions: EngineOptions; readonly parsers: Parsers }> {
  checkProjector(engine, options);
  const gpu = options.gpu === "off" ? false : options.gpu;
  const common = {
    aliases: options.alias,
    loras: options.lora,
    maxLoras: options["max-loras"],
    mmproj: options.mmproj,
    contextLength: options["context-length"],
    sequences: options.sequences,
    delayMs: options.delay,
    blockSize: options["block-size"],
    totalBlocks: options["total-blocks"],
    maxBatchedTokens: options["max-batched-tokens"],
    dataParallelSize: options["data-parallel-size"],
    kvBandwidth: options["kv-bandwidth"],
    kvBytesPerToken: options["kv-bytes-per-token"],
    startupSeconds: options["startup-time"],
    speedup: options.speedup,
    faults: options.fault,
    faultSeed: options["fault-seed"],
    tokenizer: options.tokenizer === undefined ? undefined : await readTokenizerFile(options.tokenizer),
    gpu,
  } as const;
  const given = { toolParser: options["tool-parser"], reasoningParser: options["reasoning-parser"] };
  if (engine !== "llama") {
    const engineOptions = { ...common, modelPath: options.model, modelName: options["model-name"] };
    return { engineOptions, parsers: given };
  }
  const fetching = {
    folder: options["model-folder"] ?? defaultModelFolder(),
    progress: progressFor(log, options["log-format"]),
    kvTokens: kvTokens(options),
  };
  const model = await fetchModel(options.model, fetching);
  const mmproj = options.mmproj && (await fetchProjector(options.mmproj, fetching));
  const { path, chatTemplate } = model;
  return {
    engineOptions: { ...common, ...modelNaming(options, model), modelPath: path, chatTemplate, mmproj },
    parsers: {
      toolParser: given.toolParser ?? model.toolParser,
      reasoningParser: given.reasoningParser ?? model.reasoningParser,
    },
  };
}

/** @throws UsageError if a built-in engine has a projector and would ignore it */
export function checkProjector(engine: string, { mmproj }: Pick<WorkerCommandOptions, "mmproj">): void {
  if (mmproj === undefined || engine === "llama" || !engineNames.includes(engine)) return;
  throw new UsageError(
    `--mmproj: only the llama engine takes a projector, and the ${engine} engine does not. Leave it out.`,
  );
}

/** The names of a model in the API: those that the flags give, else its own. */
export function modelNaming(
  options: Pick<WorkerCommandOptions, "model-name" | "alias">,
  { name, aliases }: ModelFile,
): { modelName: string; aliases: string[] } {
  const given = options["model-name"];
  if (given !== undefined) return { modelName: given, aliases: options.alias };
  return { modelName: name, aliases: [...aliases, ...options.alias] };
}

/** Tokens of KV memory that this many workers have together. */
export function kvTokens(
  options: Pick<WorkerCommandOptions, "context-length" | "sequences">,
  workers = 1,
): number {
  return workers * (options.sequences ?? 4) * (options["context-length"] ?? 4_096);
}

/** Settings of one of a process's workers. */
export interface WorkerPlace {
  name: string;
  opsPort: number;
  faultSeed: number;
  zmqEvents: ZmqEventsOptions | undefined;
}

/**
 * The workers of a process: one, or for the mocker as many as --workers says. Given ports are counted up from worker to
 * worker.
 * @throws UsageError for an address that several workers would share
 */
export function workerPlaces(engine: string, options: WorkerCommandOptions): WorkerPlace[] {
  const count = engine === "mocker" ? options.workers : 1;
  if (count > 1 && options.listen !== undefined)
    throw new UsageError("--listen sets the address of one worker; with --workers each picks a free port.");
  const isInPod = isKubernetes(options.discovery);
  if (count > 1 && isInPod)
    throw new UsageError("--discovery kubernetes: finds one worker in a pod: omit --workers, and add pods.");
  // In pods, process ids are all the same.
  const byDefault = isInPod ? hostname() : `${engine}-${process.pid}`;
  return Array.from({ length: count }, (_, index) => ({
    name: count > 1 ? `${options.name ?? engine}-${index}` : (options.name ?? byDefault),
    opsPort: options["ops-port"] === 0 ? 0 : options["ops-port"] + index,
    faultSeed: options["fault-seed"] + index,
    zmqEvents: zmqEvents(options, index),
  }));
}

function zmqEvents(options: WorkerCommandOptions, index: number): ZmqEventsOptions | undefined {
  const endpoint = kvEventsAddress(options, "kv-events-endpoint", index);
  const replayEndpoint = kvEventsAddress(options, "kv-events-replay-endpoint", index);
  if (endpoint === undefined) {
    if (replayEndpoint === undefined) return undefined;
    throw new UsageError("--kv-events-replay-endpoint needs --kv-events-endpoint too.");
  }
  return {
    endpoint,
    replayEndpoint,
    topic: options["kv-events-topic"],
    replayBatches: options["kv-events-buffer"],
  };
}

/**
 * The endpoint of a worker's first rank; the ports of the workers' ranks are consecutive.
 * @throws UsageError if the option is not a valid endpoint
 */
export function kvEventsAddress(
  options: Pick<
    WorkerCommandOptions,
    "kv-events-endpoint" | "kv-events-replay-endpoint" | "data-parallel-size"
  >,
  name: "kv-events-endpoint" | "kv-events-replay-endpoint",
  index: number,
): string | undefined {
  const endpoint = options[name];
  if (endpoint === undefined) return undefined;
  try {
    return rankEndpoint(endpoint, index * options["data-parallel-size"]);
  } catch (error) {
    throw new UsageError(`--${name}: ${error instanceof Error ? error.message : error}`);
  }
}
