import type { Logger } from "#runtime";
import type { Engine } from "./engine.ts";
import type { TokenizerFile } from "./tokenizer-file.ts";

/** What an engine's factory is given. */
export interface WorkerContext {
  log: Logger;
  /** CPU threads that are this worker's: the machine's cores divided among its workers. */
  threads: number;
  options: EngineOptions;
}

/** Options that all engines understand where they make sense; undefined takes the engine's default. */
export interface EngineOptions {
  /** Path of the model's file or folder. */
  modelPath?: string | undefined;
  /** The model's name in the API. */
  modelName?: string | undefined;
  aliases?: string[] | undefined;
  /** Longest prompt plus answer, in tokens. */
  contextLength?: number | undefined;
  /** Requests answered at once. */
  sequences?: number | undefined;
  /** Milliseconds between two tokens, for the echo engine. */
  delayMs?: number | undefined;
  /** KV memory of the mock engine: tokens in a block, and blocks. */
  blockSize?: number | undefined;
  totalBlocks?: number | undefined;
  /** Tokens that the mock engine evaluates in one step. */
  maxBatchedTokens?: number | undefined;
  /** How many times faster than a GPU the mock engine is; 0 takes no time. */
  speedup?: number | undefined;
  /** Seconds that the mock engine takes to start. */
  startupSeconds?: number | undefined;
  /** Faults to inject into the mock engine, `KIND[:NAME=VALUE]…`, and what decides whom they strike. */
  faults?: readonly string[] | undefined;
  faultSeed?: number | undefined;
  /** Data-parallel ranks of the mock engine. */
  dataParallelSize?: number | undefined;
  gpu?: "auto" | "cuda" | "vulkan" | "metal" | false | undefined;
  /** A chat template (Jinja) in place of the model's own. */
  chatTemplate?: string | undefined;
  /** The model's `tokenizer.json`, where one was given: the gateway tokenises with it. */
  tokenizer?: TokenizerFile | undefined;
}

export interface WorkerDefinition {
  /** Name of the engine, also the first part of its workers' names. */
  readonly name: string;
  /** Loads the engine. What it throws ends the worker with the error's message in its log. */
  open(context: WorkerContext): Engine | Promise<Engine>;
}

/**
 * Defines a worker of your own; export it as the default of a module and run it with
 * `stator worker ./my-engine.ts`.
 *
 * @example
 * export default defineWorker({
 *   name: "parrot",
 *   open: ({ options }) => openParrot(options.modelName ?? "parrot"),
 * });
 */
export const defineWorker = (definition: WorkerDefinition): WorkerDefinition => definition;
