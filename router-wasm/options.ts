import { RouterError } from "./errors.ts";
import type { CostWeights, RouterOptions } from "./types.ts";

/** Longest time, six years, so that its ticks fit in 31 bits. */
const MAX_SECONDS = 200_000_000;

/** Dynamo's defaults: a cached block is worth its prefill, and a pending prefill block as much as a decode block. */
export const DYNAMO_WEIGHTS: CostWeights = {
  overlapCredit: 1,
  creditDecay: 0,
  prefillLoadScale: 1,
  activeRequestWeight: 0,
  recentPrefillWeight: 0,
  recentPrefillSeconds: 0,
  hostCredit: 0.75,
  diskCredit: 0.25,
  sharedMultiplier: 0.5,
  temperature: 0,
};

/**
 * Found by replaying a production trace; bench/trace/README.md shows the search. Prefill weighs 24 times as much as
 * decode: a prompt block keeps a GPU busy for milliseconds, a block read by decode for microseconds per step. A cached
 * block is worth two: sending a prompt elsewhere costs its prefill, and evicts other blocks there. Blocks in other
 * tiers keep Dynamo's ratio to that. A worker's recent prefill counts a little, so that new conversations go where
 * caches have room while all workers are idle.
 */
export const DEFAULT_WEIGHTS: CostWeights = {
  ...DYNAMO_WEIGHTS,
  overlapCredit: 2,
  prefillLoadScale: 24,
  recentPrefillWeight: 0.15,
  recentPrefillSeconds: 600,
  hostCredit: 1.5,
  diskCredit: 0.5,
  sharedMultiplier: 1,
};

export interface Limits {
  blockSize: number;
  maxWorkers: number;
  maxBlocks: number;
  expectedBlocks: number;
  maxBookings: number;
  maxMemoryBytes: number;
}

/** The options with defaults filled in. Throws `bad_option`. */
export function readLimits(options: RouterOptions): Limits {
  return {
    blockSize: integer("blockSize", options.blockSize, 1, 16_384),
    maxWorkers: integer("maxWorkers", options.maxWorkers ?? 1024, 1, 65_536),
    maxBlocks: integer("maxBlocks", options.maxBlocks ?? 4_194_304, 1, 134_217_728),
    expectedBlocks: integer("expectedBlocks", options.expectedBlocks ?? 0, 0, 134_217_728),
    maxBookings: integer("maxBookings", options.maxBookings ?? 65_536, 1, 4_194_304),
    maxMemoryBytes: integer("maxMemoryBytes", options.maxMemoryBytes ?? 2 ** 32, 1, 2 ** 32),
  };
}

/** `base` with the given weights changed. Throws `bad_option`. */
export function readWeights(base: CostWeights, change: Partial<CostWeights>): CostWeights {
  const weights = { ...base };
  for (const name of Object.keys(base) as (keyof CostWeights)[]) {
    const value = change[name];
    if (value !== undefined) weights[name] = weight(name, value);
  }
  return weights;
}

export function weight(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new RouterError("bad_option", `${name} is ${value}; it must be a number of at least 0.`);
}

/** Converts seconds to the core's ticks, which are tenths. Throws `bad_option`. */
export function toTicks(name: string, seconds: number): number {
  if (seconds >= 0 && seconds <= MAX_SECONDS) return Math.floor(seconds * 10);
  throw new RouterError(
    "bad_option",
    `${name} is ${seconds}; it must be a number of seconds from 0 to ${MAX_SECONDS}.`,
  );
}

/** The factor per tick of a decay to 1/e in `seconds`. Uses only a division, so that all hosts agree on it. */
export function keptPerTick(seconds: number): number {
  return seconds > 0.1 ? 1 - 0.1 / seconds : 0;
}

/** Validates a load limit. Throws `bad_option`. */
export function loadLimit(name: string, value: number = Number.POSITIVE_INFINITY): number {
  if (value >= 0) return value;
  throw new RouterError("bad_option", `The limit ${name} is ${value}; it must be a number of at least 0.`);
}

export function integer(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RouterError("bad_option", `${name} is ${value}; it must be an integer from ${least} to ${most}.`);
}
