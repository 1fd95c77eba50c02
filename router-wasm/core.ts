import { RouterError } from "./errors.ts";

/**
 * The exports of `assembly/index.ts`. Areas are addresses in linear memory, returned as signed numbers: beyond 2 GiB,
 * they are negative until `>>> 0` or another unsigned shift.
 */
export interface CoreExports {
  memory: WebAssembly.Memory;
  setMemoryLimit(bytes: number): void;
  init(
    blockSize: number,
    maxWorkers: number,
    maxBlocks: number,
    expectedBlocks: number,
    maxBookings: number,
  ): number;
  eventArea(): number;
  eventTokensArea(): number;
  eventBlocks(): number;
  hashBytes(length: number, seedLow: number, seedHigh: number): void;
  resultArea(): number;
  statsArea(): number;
  memoryBytes(): number;
  workers(): number;
  prefillTokensArea(): number;
  decodeBlocksArea(): number;
  requestsArea(): number;
  heldBlocksOf(kind: number, worker: number): number;
  pricedWorkers(): number;
  overlapsArea(): number;
  hostOverlapsArea(): number;
  diskOverlapsArea(): number;
  poolOverlapsArea(): number;
  prefillTermsArea(): number;
  decodeTermsArea(): number;
  totalsArea(): number;
  hostTermsArea(): number;
  addWorker(): number;
  hasWorker(worker: number): number;
  removeWorker(worker: number): void;
  clearWorker(worker: number): void;
  setEligible(worker: number, eligible: number): void;
  limitWorker(worker: number, prefillTokens: number, decodeBlocks: number): void;
  eventLocalsArea(): number;
  useKey(k0: number, k1: number, k2: number, k3: number): void;
  hashEvent(blocks: number, media: number, beforeLow: number, beforeHigh: number): void;
  maskEvent(blocks: number): void;
  storeBegin(kind: number, worker: number, hasParent: number): number;
  storeMore(kind: number, worker: number, blocks: number, media: number): number;
  storeMoreHashed(kind: number, worker: number, blocks: number): number;
  storeCopies(kind: number, worker: number, blocks: number): number;
  useSalt(low: number, high: number): void;
  useBlockSalt(block: number, low: number, high: number): void;
  mediaArea(bytes: number): number;
  storeEnd(refused: number): void;
  removeStored(kind: number, worker: number, blocks: number): number;
  payloadArea(bytes: number): number;
  readBatch(bytes: number): number;
  applyBatch(worker: number): number;
  clearPool(): void;
  snapshotBegin(): void;
  snapshotNext(bytes: number): number;
  snapshotArea(): number;
  snapshotTaken(): void;
  snapshotRuns(): number;
  snapshotEnd(): void;
  restoreOne(parent: number, length: number, severalHashes: number, shared: number): number;
  restoreHeld(run: number, holder: number, mask: number, own: number): number;
  restoreName(run: number, holder: number, place: number): number;
  restoreOrder(run: number): void;
  restoreEnd(): void;
  checksum(from: number, bytes: number): void;
  setPrediction(worker: number, ticks: number, capacity: number): void;
  setTime(tick: number): void;
  predictPrompt(worker: number): number;
  predictHashed(worker: number, blocks: number, ticks: number): number;
  copyPredicted(worker: number, most: number): number;
  predictionsCopy(): number;
  promptArea(tokens: number): number;
  hashesArea(blocks: number): number;
  hashPrompt(tokens: number, media: number): number;
  find(blocks: number): number;
  configure(creditDecay: number, prefillLoadScale: number, activeRequestWeight: number): void;
  configureRecent(weight: number, kept: number): void;
  configureTiers(host: number, disk: number, pool: number): void;
  exclude(worker: number): void;
  decide(
    tokens: number,
    policy: number,
    pinned: number,
    overlapCredit: number,
    temperature: number,
    random: number,
    expectedOutputTokens: number,
    media: number,
    books: number,
    decodeOnly: number,
    hasTerms: number,
  ): number;
  firstToken(booking: number): void;
  grow(booking: number, blocks: number): void;
  free(booking: number): void;
  recentPrefillOf(worker: number): number;
  addLoad(
    worker: number,
    prefillTokens: number,
    decodeBlocks: number,
    requests: number,
    recentPrefillTokens: number,
  ): void;
}

/** The policies' numbers in `assembly/select.ts`. */
export const POLICY_NUMBERS = {
  kv: 0,
  "round-robin": 1,
  random: 2,
  "least-loaded": 3,
  "power-of-two": 4,
} as const;

/** The tiers' numbers in `assembly/kinds.ts`. */
export const TIER_NUMBERS = { device: 0, host: 2, disk: 3, shared: 4 } as const;
/** The number of predicted blocks there. */
export const PREDICTED = 1;

/** In the order of `assembly/stats.ts`. */
export const STAT_NAMES = [
  "blocks",
  "storedBlocks",
  "predictedBlocks",
  "hostBlocks",
  "diskBlocks",
  "sharedBlocks",
  "runs",
  "bookings",
  "decisions",
  "unbookedDecisions",
  "staleBookings",
  "ignoredEvents",
  "unknownRemovals",
  "forgottenBlocks",
  "refusedBlocks",
] as const;

/** An instance of the core, with views of its memory that are renewed when it grows. */
export class Core {
  readonly exports: CoreExports;
  #buffer: ArrayBufferLike;
  #u8: Uint8Array;
  #u32: Uint32Array;
  #u64: BigUint64Array;
  #f64: Float64Array;

  constructor(module: WebAssembly.Module) {
    this.exports = instantiate(module);
    const buffer = this.exports.memory.buffer;
    this.#buffer = buffer;
    this.#u8 = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }

  /** The memory in bytes. Get it again after every call into the core. */
  get u8(): Uint8Array {
    this.#renew();
    return this.#u8;
  }

  /** The memory in numbers of 4 bytes: index = address / 4. */
  get u32(): Uint32Array {
    this.#renew();
    return this.#u32;
  }

  /** The memory in numbers of 8 bytes: index = address / 8. */
  get u64(): BigUint64Array {
    this.#renew();
    return this.#u64;
  }

  /** The memory in floating-point numbers: index = address / 8. */
  get f64(): Float64Array {
    this.#renew();
    return this.#f64;
  }

  #renew(): void {
    const buffer = this.exports.memory.buffer;
    if (buffer === this.#buffer) return;
    this.#buffer = buffer;
    this.#u8 = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }
}

function instantiate(module: WebAssembly.Module): CoreExports {
  try {
    const exports = new WebAssembly.Instance(module).exports;
    if (typeof exports.storeBegin !== "function") throw new Error("The export storeBegin is missing.");
    return exports as unknown as CoreExports;
  } catch (cause) {
    const message =
      "This WebAssembly module is not the router's core, or is of another version: build it again.";
    throw new RouterError("bad_module", message, { cause });
  }
}
