/**
 * A trace: operations on routers, and the correct answer to each. It is plain JSON, so that a host in any language can
 * replay it. Doubles are written with all digits and must be reproduced to the bit.
 */
import type { HashVector } from "../../router-wasm/fixtures/hash-vector.ts";
import type {
  CandidateCost,
  Decision,
  HashOptions,
  Policy,
  RouterOptions,
  RouterStats,
  Salt,
  Tier,
  WorkerLoad,
} from "../../router-wasm/index.ts";

export interface Trace {
  vectors: HashVector[];
  scenarios: Scenario[];
}

/** Operations on one router. */
export interface Scenario {
  name: string;
  options: RouterOptions;
  /** Salts, to which steps refer by index; the first is the router's default. */
  salts: Salt[];
  steps: Step[];
}

/** 64-bit hashes, hexadecimal with 0x. */
export type Hashes = string[];
/** Token ids in runs `[first, count]`: first, first + 1, …, modulo 2³². */
export type TokenRuns = [first: number, count: number][];

/** What block hashes depend on besides the tokens. */
export interface Extras {
  /** Index into the scenario's salts. */
  salt?: number;
  /** The hashes of the media in each block. */
  media?: (Hashes | null)[];
}

/**
 * One operation, with the name of the router's method. If it has `workers`, it is performed for each, and `expect` has
 * an answer for each. Bookings are numbered 0, 1, … in order of creation.
 */
export type Step =
  | { do: "addWorker"; expect: number }
  | { do: "removeWorker" | "clearWorker"; workers: number[] }
  | { do: "clearShared" }
  | { do: "setEligible"; workers: number[]; eligible: boolean }
  | {
      do: "setLimits";
      workers: number[];
      limits: { activePrefillTokens?: number; activeDecodeBlocks?: number };
    }
  | ({
      do: "applyStored";
      workers: number[];
      hashes: Hashes;
      parent?: string;
      tokens: TokenRuns;
      tier?: Tier;
      expect: number[];
    } & Extras)
  | {
      do: "applyHashed";
      workers: number[];
      hashes: Hashes;
      parent?: string;
      locals: Hashes;
      tier?: Tier;
      expect: number[];
    }
  | { do: "applyCopied" | "applyRemoved"; workers: number[]; hashes: Hashes; tier: Tier; expect: number[] }
  /**
   * Events in vLLM's wire format, as a hexadecimal payload. The answer is null for a batch that the core leaves to its
   * host.
   */
  | { do: "applyBatch"; worker: number; payload: string; expect: BatchAnswer | null }
  | { do: "setPredictions"; workers: number[]; options?: { ttlSeconds: number; capacityBlocks?: number } }
  | { do: "passTime"; now: number }
  | ({ do: "decide"; tokens: TokenRuns; options: Choice; expect: Chosen } & Extras)
  /** Follows a decision on the same prompt. */
  | { do: "predict"; worker: number; expect: number }
  /** Every candidate: worker, blocks on the device, in host memory, on disk and shared, prefill, decode, total. */
  | { do: "explain"; expect: number[][] }
  /**
   * The local hashes of the prompt, the longest overlap of a worker, and for each worker in order its blocks on the
   * device, in host memory, on disk and shared.
   */
  | ({
      do: "find";
      tokens: TokenRuns;
      expect: { hashes: Hashes; longest: number; overlaps: number[][] };
    } & Extras)
  | { do: "firstToken" | "free"; booking: number }
  | { do: "grow"; booking: number; blocks: number }
  | { do: "setWeights"; weights: NonNullable<RouterOptions["weights"]> }
  /** For each worker: prefill tokens, decode blocks, requests; blocks stored, predicted, in host memory, on disk. */
  | { do: "load"; workers: number[]; expect: number[][] }
  | { do: "stats"; expect: Omit<RouterStats, "memoryBytes"> };

/** Options of a decision. */
export interface Choice {
  policy: Policy;
  random: number;
  pinnedWorker?: number;
  excluded?: number[];
  /** The caller's terms, by worker. */
  terms?: number[];
  overlapCredit?: number;
  temperature?: number;
  expectedOutputTokens?: number;
  book?: boolean;
  decodeOnly?: boolean;
  now?: number;
}

/** What was read from a batch, and how many blocks it stored or removed. */
export interface BatchAnswer {
  events: number;
  storedEvents: number;
  rank: number;
  changed: number;
}

/** A decision, with whether it was booked instead of the handle, which depends on the implementation. */
export type Chosen = Omit<Decision, "booking"> & { booked: boolean };

/** The report of a replay on a host. */
export interface Report {
  /** Number of answers compared. */
  checks: number;
  /** The first wrong answers. */
  failures: Failure[];
  /** Linear memory at the end of each scenario; the same on every host. */
  memoryBytes: number[];
}

export interface Failure {
  /** The name of the scenario, or "hashing". */
  scenario: string;
  /** Index of the step or vector. */
  step: number;
  expected: unknown;
  actual: unknown;
}

/** The token ids of runs. */
export function tokensOf(runs: TokenRuns): Uint32Array {
  const tokens = new Uint32Array(runs.reduce((sum, [, count]) => sum + count, 0));
  let at = 0;
  for (const [first, count] of runs) for (let i = 0; i < count; i++) tokens[at++] = first + i;
  return tokens;
}

export function hashesOf(hashes: Hashes): BigUint64Array {
  return BigUint64Array.from(hashes, BigInt);
}

export function toHex(hashes: Iterable<bigint>): Hashes {
  return Array.from(hashes, (hash) => `0x${hash.toString(16)}`);
}

/** A candidate in the format of `explain` steps. */
export function rowOfCandidate(candidate: CandidateCost): number[] {
  const { worker, overlapBlocks, hostBlocks, diskBlocks, sharedBlocks, prefill, decode, total } = candidate;
  return [worker, overlapBlocks, hostBlocks, diskBlocks, sharedBlocks, prefill, decode, total];
}

/** A worker's load in the format of `load` steps. */
export function rowOfLoad(load: WorkerLoad): number[] {
  const { activePrefillTokens, activeDecodeBlocks, activeRequests } = load;
  const { storedBlocks, predictedBlocks, hostBlocks, diskBlocks } = load;
  const booked = [activePrefillTokens, activeDecodeBlocks, activeRequests];
  return [...booked, storedBlocks, predictedBlocks, hostBlocks, diskBlocks];
}

export function mediaOf(media: Extras["media"]): (BigUint64Array | null)[] | undefined {
  return media?.map((hashes) => hashes && hashesOf(hashes));
}

export function hashOptionsOf(vector: HashVector): HashOptions {
  return {
    blockSize: vector.block_size,
    loraName: vector.lora_name ?? undefined,
    namespace: vector.cache_namespace ?? undefined,
    mmHashes: mediaOf(vector.mm_hashes ?? undefined),
  };
}
