import type { Logger, WorkerRole } from "#runtime";
import type { Engine } from "./engine.ts";
import type { TokenizerFile } from "./tokenizer-file.ts";

/** The argument of an engine's factory. */
export interface WorkerContext {
  log: Logger;
  /** This worker's CPU threads: the machine's cores divided among its workers. */
  threads: number;
  /** The role that the worker begins with; undefined: the one on the engine's card. */
  role?: WorkerRole | undefined;
  options: EngineOptions;
}

/** Options common to all engines, where applicable; undefined uses the engine's default. */
export interface EngineOptions {
  /** Path of the model's file or folder. */
  modelPath?: string | undefined;
  /** The model's name in the API. */
  modelName?: string | undefined;
  aliases?: string[] | undefined;
  /** Path of the projector with which the llama engine takes media. */
  mmproj?: string | undefined;
  /** LoRA adapters to start with: names and paths. */
  loras?: readonly (readonly [name: string, path: string])[] | undefined;
  /** The most LoRA adapters that the llama engine computes with at once. */
  maxLoras?: number | undefined;
  /** Longest prompt plus answer, in tokens. */
  contextLength?: number | undefined;
  /** Concurrent requests. */
  sequences?: number | undefined;
  /** Milliseconds between two tokens, for the echo engine. */
  delayMs?: number | undefined;
  /** KV memory of the mock engine: tokens per block, and blocks. */
  blockSize?: number | undefined;
  totalBlocks?: number | undefined;
  /** Tokens per step of the mock engine. */
  maxBatchedTokens?: number | undefined;
  /** How many times as fast as a GPU the mock engine is; 0 takes no time. */
  speedup?: number | undefined;
  /** The mock engine's simulated KV: bytes per token, and the speed at which it arrives in GB/s. */
  kvBytesPerToken?: number | undefined;
  kvBandwidth?: number | undefined;
  /** Seconds that the mock engine takes to start. */
  startupSeconds?: number | undefined;
  /** Faults to inject into the mock engine, `KIND[:NAME=VALUE]…`, and their seed. */
  faults?: readonly string[] | undefined;
  faultSeed?: number | undefined;
  /** Data-parallel ranks of the mock engine. */
  dataParallelSize?: number | undefined;
  gpu?: "auto" | "cuda" | "vulkan" | "metal" | false | undefined;
  /** A chat template (Jinja) that replaces the model's own. */
  chatTemplate?: string | undefined;
  /** The model's `tokenizer.json`, if given: the gateway tokenises with it. */
  tokenizer?: TokenizerFile | undefined;
}

export interface WorkerDefinition {
  /** Name of the engine, and prefix of its workers' names. */
  readonly name: string;
  /** Loads the engine. If it throws, the worker exits with the error's message. */
  open(context: WorkerContext): Engine | Promise<Engine>;
}

/**
 * Defines a custom worker; export it as the default of a module and run it with
 * `stator worker ./my-engine.ts`.
 *
 * @example
 * export default defineWorker({
 *   name: "parrot",
 *   open: ({ options }) => openParrot(options.modelName ?? "parrot"),
 * });
 */
export const defineWorker = (definition: WorkerDefinition): WorkerDefinition => definition;
