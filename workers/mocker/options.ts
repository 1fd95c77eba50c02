import type { Logger } from "#runtime";
import type { TokenizerFile } from "../tokenizer-file.ts";
import type { StepTiming } from "./timing.ts";

export interface MockerOptions {
  modelName?: string | undefined;
  aliases?: string[] | undefined;
  contextLength?: number | undefined;
  /** Requests worked on at once, by each rank. Default 256. */
  sequences?: number | undefined;
  tokenizer?: TokenizerFile | undefined;
  /** Tokens in a block. Default 64. */
  blockSize?: number | undefined;
  /** Blocks of KV memory of each rank. Default 16,384. */
  totalBlocks?: number | undefined;
  /** Tokens evaluated in one step of a rank. Default 8,192. */
  maxBatchedTokens?: number | undefined;
  /** Data-parallel ranks. Default 1. */
  dataParallelSize?: number | undefined;
  /** How many times faster than the simulated GPU; 0 takes no time at all. Default 1. */
  speedup?: number | undefined;
  timing?: StepTiming | undefined;
  /** Faults to inject; see `faults/parse.ts`. */
  faults?: readonly string[] | undefined;
  /** The same faults with the same seed strike the same requests, steps and events. Default 1. */
  faultSeed?: number | undefined;
  /** How the fault `crash` ends the process. Default: SIGKILL. */
  crash?: (() => void) | undefined;
  log?: Logger | undefined;
}
