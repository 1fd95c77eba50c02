import type { Logger } from "#runtime";
import type { TokenizerFile } from "../tokenizer-file.ts";
import type { StepTiming } from "./timing.ts";

export interface MockerOptions {
  modelName?: string | undefined;
  aliases?: string[] | undefined;
  /** LoRA adapters to start with: names and paths, which are not read. */
  loras?: readonly (readonly [name: string, path: string])[] | undefined;
  contextLength?: number | undefined;
  /** Concurrent requests per rank. Default 256. */
  sequences?: number | undefined;
  tokenizer?: TokenizerFile | undefined;
  /** Tokens per block. Default 64. */
  blockSize?: number | undefined;
  /** KV blocks per rank. Default 16,384. */
  totalBlocks?: number | undefined;
  /** Tokens per step of a rank. Default 8,192. */
  maxBatchedTokens?: number | undefined;
  /** Data-parallel ranks. Default 1. */
  dataParallelSize?: number | undefined;
  /** How many times as fast as the simulated GPU; 0 takes no time. Default 1. */
  speedup?: number | undefined;
  timing?: StepTiming | undefined;
  /** Size of the simulated KV of a token, in bytes. Default 131,072: an 8-billion-parameter model's in 16 bits. */
  kvBytesPerToken?: number | undefined;
  /** Speed at which simulated KV arrives, in GB/s (10⁹ bytes). Default 50: a link of 400 Gb/s. */
  kvBandwidth?: number | undefined;
  /** Faults to inject; see `faults/parse.ts`. */
  faults?: readonly string[] | undefined;
  /** The same faults with the same seed hit the same requests, steps and events. Default 1. */
  faultSeed?: number | undefined;
  /** How the fault `crash` kills the process. Default: SIGKILL. */
  crash?: (() => void) | undefined;
  log?: Logger | undefined;
}
