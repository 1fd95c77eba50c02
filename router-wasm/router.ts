import { Core, POLICY_NUMBERS, PREDICTED, STAT_NAMES, TIER_NUMBERS } from "./core.ts";
import { RouterError } from "./errors.ts";
import { EventWriter } from "./event-writer.ts";
import { hashBlocks, mediaHash, Salts } from "./hashing.ts";
import { maskHash, useHashKey } from "./kv-hasher.ts";
import { writeMedia } from "./media.ts";
import { mergePredictions, predictionsPiece } from "./merge-predictions.ts";
import { mergeRuns } from "./merge-runs.ts";
import {
  DEFAULT_WEIGHTS,
  integer,
  keptPerTick,
  loadLimit,
  readLimits,
  readWeights,
  toTicks,
  weight,
} from "./options.ts";
import { restoreRuns } from "./restore.ts";
import { joinPieces, otherHashes, readSnapshot, type SnapshotContent } from "./snapshot-format.ts";
import { Snapshots } from "./snapshots.ts";
import type {
  AddedLoad,
  BlockExtras,
  BlockHashes,
  CandidateCost,
  CostTerms,
  CostWeights,
  DecideOptions,
  Decision,
  EventBatch,
  EventOptions,
  HashOptions,
  LoadLimits,
  PredictionOptions,
  Router,
  RouterOptions,
  RouterStats,
  Tier,
  WorkerLoad,
} from "./types.ts";

/** Compiles the core. Not needed on hosts that provide a compiled module (workerd). */
export async function compileRouter(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new RouterError("bad_module", "The router's WebAssembly file does not compile: rebuild it.", {
      cause,
    });
  }
}

/** Creates a router with its own memory. Throws `bad_option`, `bad_module` or `memory`. */
export function createRouter(module: WebAssembly.Module, options: RouterOptions): Router {
  return new WasmRouter(new Core(module), options);
}

/**
 * Creates a router from a snapshot, whole or in pieces: with the same workers, eligible and idle, and their blocks.
 * The options must have the same block size, salt and key. Then apply, in order, the events that arrived after the
 * snapshot began.
 * Throws what `createRouter` does, and `bad_snapshot` for a snapshot that is damaged, or has another version, block
 * size, salt or key.
 */
export function restoreRouter(
  module: WebAssembly.Module,
  options: RouterOptions,
  snapshot: Uint8Array | Iterable<Uint8Array>,
): Router {
  const core = new Core(module);
  const router = new WasmRouter(core, options);
  const content = readSnapshot(core, joinPieces(snapshot));
  router.restore(content);
  return router;
}

/** In tokens. */
const MAX_PROMPT = 0x0fffffff;

class WasmRouter implements Router {
  readonly blockSize: number;
  readonly isKeyed: boolean;
  readonly #core: Core;
  readonly #maxWorkers: number;
  #weights: CostWeights;
  readonly #decision: Decision = {
    worker: -1,
    overlapBlocks: 0,
    predictedBlocks: 0,
    hostBlocks: 0,
    diskBlocks: 0,
    sharedBlocks: 0,
    cost: 0,
    booking: -1,
    busyWorkers: 0,
  };

  /** Index of the results in the core's memory. */
  readonly #resultAt: number;
  readonly #events: EventWriter;
  readonly #salts: Salts;
  /** The seed of its own salt, with a key its keyed hash: routers that differ in it hash differently. */
  readonly #seed: bigint;
  readonly #snapshots: Snapshots;

  constructor(core: Core, options: RouterOptions) {
    const limits = readLimits(options);
    const { exports } = core;
    this.#weights = readWeights(DEFAULT_WEIGHTS, options.weights ?? {});
    exports.setMemoryLimit(limits.maxMemoryBytes);
    this.#salts = new Salts(core, options.salt ?? {});
    const ready = exports.init(
      limits.blockSize,
      limits.maxWorkers,
      limits.maxBlocks,
      limits.expectedBlocks,
      limits.maxBookings,
    );
    if (!ready) throw new RouterError("memory", "There is not enough memory for the router's limits.");
    if (options.hashKey !== undefined) useHashKey(core, options.hashKey);
    this.#seed = options.hashKey === undefined ? this.#salts.seed : maskHash(core, this.#salts.seed);
    this.#core = core;
    this.#snapshots = new Snapshots(core);
    this.blockSize = limits.blockSize;
    this.isKeyed = options.hashKey !== undefined;
    this.#maxWorkers = limits.maxWorkers;
    this.#resultAt = exports.resultArea() >>> 3;
    this.#events = new EventWriter(core, this.#salts, limits.blockSize);
    this.#configure();
    this.#salts.use(undefined);
  }

  addWorker(): number {
    const worker = this.#core.exports.addWorker();
    if (worker >= 0) return worker;
    throw new RouterError(
      "worker_limit",
      `The router already has ${this.#maxWorkers} workers: raise maxWorkers.`,
    );
  }

  removeWorker(worker: number): void {
    this.#check(worker);
    this.#core.exports.removeWorker(worker);
  }

  clearWorker(worker: number): void {
    this.#check(worker);
    this.#core.exports.clearWorker(worker);
  }

  clearShared(): void {
    this.#core.exports.clearPool();
  }

  setEligible(worker: number, eligible: boolean): void {
    this.#check(worker);
    this.#core.exports.setEligible(worker, eligible ? 1 : 0);
  }

  setLimits(worker: number, limits: LoadLimits): void {
    this.#check(worker);
    const prefillTokens = loadLimit("activePrefillTokens", limits.activePrefillTokens);
    const decodeBlocks = loadLimit("activeDecodeBlocks", limits.activeDecodeBlocks);
    this.#core.exports.limitWorker(worker, prefillTokens, decodeBlocks);
  }

  applyStored(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    tokenIds: Uint32Array,
    options?: EventOptions,
  ): number {
    this.#check(worker);
    return this.#events.stored(worker, blockHashes, parentHash, tokenIds, options);
  }

  applyHashed(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    localHashes: BigUint64Array,
    tier?: Tier,
  ): number {
    this.#check(worker);
    return this.#events.hashed(worker, blockHashes, parentHash, localHashes, tier);
  }

  applyCopied(worker: number, blockHashes: BigUint64Array, tier: Tier): number {
    this.#check(worker);
    return this.#events.copied(worker, blockHashes, tier);
  }

  applyRemoved(worker: number, blockHashes: BigUint64Array, tier?: Tier): number {
    this.#check(worker);
    return this.#events.removed(worker, blockHashes, tier);
  }

  readBatch(payload: Uint8Array): EventBatch | undefined {
    return this.#events.read(payload);
  }

  applyBatch(worker: number): number {
    this.#check(worker);
    return this.#events.applyRead(worker);
  }

  setPredictions(worker: number, options: PredictionOptions | undefined): void {
    this.#check(worker);
    const ticks = options === undefined ? 0 : Math.max(1, toTicks("ttlSeconds", options.ttlSeconds));
    const capacity = loadLimit("capacityBlocks", options?.capacityBlocks);
    this.#core.exports.setPrediction(worker, ticks, capacity);
  }

  predict(worker: number): number {
    this.#check(worker);
    const predicted = this.#core.exports.predictPrompt(worker);
    if (predicted >= 0) return predicted;
    throw new RouterError(
      "stale_prompt",
      "The last decision's prompt has been overwritten: call predict right after decide.",
    );
  }

  passTime(now: number): void {
    this.#core.exports.setTime(toTicks("now", now));
  }

  tokenBuffer(length: number): Uint32Array {
    const area = this.#promptArea(length);
    return new Uint32Array(this.#core.exports.memory.buffer, area, length);
  }

  writePrompt(tokenIds: Uint32Array): void {
    const area = this.#promptArea(tokenIds.length);
    this.#core.u32.set(tokenIds, area >>> 2);
  }

  #promptArea(length: number): number {
    integer("The prompt's length", length, 0, MAX_PROMPT);
    const area = this.#core.exports.promptArea(length) >>> 0;
    if (area > 0 || length === 0) return area;
    throw new RouterError("memory", `There is not enough memory for a prompt of ${length} tokens.`);
  }

  decide(options: DecideOptions): Decision {
    const { exports } = this.#core;
    const { policy, random, pinnedWorker, excluded, terms } = options;
    const policyNumber = POLICY_NUMBERS[policy];
    if (policyNumber === undefined) throw new RouterError("bad_option", `There is no policy '${policy}'.`);
    if (!(random >= 0 && random < 1)) {
      throw new RouterError("bad_option", `random is ${random}; it must be at least 0 and less than 1.`);
    }
    const pinned = pinnedWorker === undefined ? -1 : integer("pinnedWorker", pinnedWorker, 0, 0x7fffffff);
    const overlapCredit = weight("overlapCredit", options.overlapCredit ?? this.#weights.overlapCredit);
    const temperature = weight("temperature", options.temperature ?? this.#weights.temperature);
    const expectedTokens = weight("expectedOutputTokens", options.expectedOutputTokens ?? 0);
    if (options.now !== undefined) this.passTime(options.now);
    this.#salts.use(options.salt);
    const media = writeMedia(this.#core, options.mmHashes, 0, Number.POSITIVE_INFINITY);
    if (terms !== undefined) this.#writeTerms(terms);
    // Nothing may throw between this and the decision, which reopens the gates.
    if (excluded !== undefined) for (const worker of excluded) exports.exclude(worker);
    const worker = exports.decide(
      options.tokenCount,
      policyNumber,
      pinned,
      overlapCredit,
      temperature,
      random,
      expectedTokens,
      media ? 1 : 0,
      options.book === false ? 0 : 1,
      options.decodeOnly === true ? 1 : 0,
      terms === undefined ? 0 : 1,
    );
    if (worker === -2) {
      const message = `The prompt's ${options.tokenCount} tokens were not written: call tokenBuffer first.`;
      throw new RouterError("token_count", message);
    }
    const result = this.#core.f64;
    const decision = this.#decision;
    decision.worker = worker;
    decision.overlapBlocks = result[this.#resultAt]!;
    decision.cost = result[this.#resultAt + 1]!;
    decision.booking = result[this.#resultAt + 2]!;
    decision.busyWorkers = result[this.#resultAt + 3]!;
    decision.hostBlocks = result[this.#resultAt + 4]!;
    decision.diskBlocks = result[this.#resultAt + 5]!;
    decision.sharedBlocks = result[this.#resultAt + 6]!;
    decision.predictedBlocks = result[this.#resultAt + 7]!;
    return decision;
  }

  #writeTerms(terms: Float64Array): void {
    const { exports, f64 } = this.#core;
    const at = exports.hostTermsArea() >>> 3;
    const count = Math.min(terms.length, this.#maxWorkers);
    f64.set(count === terms.length ? terms : terms.subarray(0, count), at);
    f64.fill(0, at + count, at + this.#maxWorkers);
  }

  explain(): CandidateCost[] {
    const { exports, f64, u32 } = this.#core;
    const overlaps = exports.overlapsArea() >>> 2;
    const hosts = exports.hostOverlapsArea() >>> 2;
    const disks = exports.diskOverlapsArea() >>> 2;
    const pools = exports.poolOverlapsArea() >>> 2;
    const prefills = exports.prefillTermsArea() >>> 3;
    const decodes = exports.decodeTermsArea() >>> 3;
    const totals = exports.totalsArea() >>> 3;
    const candidates: CandidateCost[] = [];
    for (let worker = 0; worker < exports.pricedWorkers(); worker++) {
      const total = f64[totals + worker]!;
      if (total === Number.POSITIVE_INFINITY) continue;
      const overlapBlocks = u32[overlaps + worker]!;
      const hostBlocks = u32[hosts + worker]!;
      const diskBlocks = u32[disks + worker]!;
      const sharedBlocks = u32[pools + worker]!;
      candidates.push({
        worker,
        overlapBlocks,
        hostBlocks,
        diskBlocks,
        sharedBlocks,
        prefill: f64[prefills + worker]!,
        decode: f64[decodes + worker]!,
        total,
      });
    }
    return candidates;
  }

  copyTerms({ overlapBlocks, prefill, decode, total }: CostTerms): number {
    const { exports, f64, u32 } = this.#core;
    const workers = exports.pricedWorkers();
    const count = Math.min(workers, overlapBlocks.length, prefill.length, decode.length, total.length);
    copy(u32, exports.overlapsArea() >>> 2, overlapBlocks, count);
    copy(f64, exports.prefillTermsArea() >>> 3, prefill, count);
    copy(f64, exports.decodeTermsArea() >>> 3, decode, count);
    copy(f64, exports.totalsArea() >>> 3, total, count);
    return workers;
  }

  hashPrompt(tokenCount: number, extras?: BlockExtras): BigUint64Array {
    const { exports } = this.#core;
    this.#salts.use(extras?.salt);
    const media = writeMedia(this.#core, extras?.mmHashes, 0, Number.POSITIVE_INFINITY);
    const blocks = exports.hashPrompt(tokenCount, media ? 1 : 0);
    if (blocks < 0) {
      const message = `The prompt's ${tokenCount} tokens were not written: call tokenBuffer first.`;
      throw new RouterError("token_count", message);
    }
    return this.hashBuffer(blocks);
  }

  hashBuffer(blocks: number): BigUint64Array {
    integer("The number of blocks", blocks, 0, Math.floor(MAX_PROMPT / this.blockSize));
    const { exports } = this.#core;
    const area = exports.hashesArea(blocks) >>> 0;
    if (area === 0 && blocks > 0)
      throw new RouterError("memory", `There is not enough memory for a query of ${blocks} blocks.`);
    return new BigUint64Array(exports.memory.buffer, area, blocks);
  }

  find(blocks: number): number {
    const longest = this.#core.exports.find(blocks);
    if (longest >= 0) return longest;
    const message = `The query's ${blocks} hashes were not written: call hashPrompt or hashBuffer first.`;
    throw new RouterError("token_count", message);
  }

  overlap(worker: number, tier: Tier = "device"): number {
    this.#check(worker);
    const { exports, u32 } = this.#core;
    const area = {
      device: exports.overlapsArea,
      host: exports.hostOverlapsArea,
      disk: exports.diskOverlapsArea,
      shared: exports.poolOverlapsArea,
    }[tier]();
    return u32[(area >>> 2) + worker]!;
  }

  firstToken(booking: number): void {
    this.#core.exports.firstToken(booking);
  }

  grow(booking: number, blocks: number): void {
    this.#core.exports.grow(booking, weight("blocks", blocks));
  }

  free(booking: number): void {
    this.#core.exports.free(booking);
  }

  addLoad(worker: number, load: AddedLoad): void {
    this.#check(worker);
    const { prefillTokens, decodeBlocks, requests, recentPrefillTokens = 0 } = load;
    if (!Number.isFinite(prefillTokens + decodeBlocks + requests + recentPrefillTokens))
      throw new RouterError("bad_option", "A load must consist of finite numbers.");
    this.#core.exports.addLoad(worker, prefillTokens, decodeBlocks, requests, recentPrefillTokens);
  }

  recentPrefill(worker: number): number {
    this.#check(worker);
    return this.#core.exports.recentPrefillOf(worker);
  }

  *snapshot(pieceBytes = 1 << 20): Generator<Uint8Array<ArrayBuffer>, void> {
    const { exports } = this.#core;
    const all = Array.from({ length: this.#maxWorkers }, (_, worker) => worker);
    const workers = all.filter((worker) => exports.hasWorker(worker));
    yield* this.#snapshots.take({ blockSize: this.blockSize, seed: this.#seed, workers }, pieceBytes);
  }

  /** Call on a new router. */
  restore(content: SnapshotContent): void {
    const { exports } = this.#core;
    if (content.blockSize !== this.blockSize || content.seed !== this.#seed)
      throw otherHashes(content.blockSize);
    const workers = new Set(content.workers);
    for (let worker = 0; worker <= Math.max(-1, ...workers); worker++) this.addWorker();
    restoreRuns(this.#core, content);
    for (let worker = Math.max(-1, ...workers); worker >= 0; worker--) {
      if (!workers.has(worker)) exports.removeWorker(worker);
    }
  }

  *merge(pieces: readonly Uint8Array[], workers: ReadonlyMap<number, number>): Generator<number, void> {
    yield* mergeRuns(this.#core, this, this.#seed, pieces, workers);
  }

  copyPredictions(worker: number, mostBlocks = 131_072): Uint8Array<ArrayBuffer> {
    this.#check(worker);
    const bytes = this.#core.exports.copyPredicted(worker, integer("mostBlocks", mostBlocks, 1, 1 << 24));
    const from = this.#core.exports.predictionsCopy() >>> 0;
    const { blockSize } = this;
    return predictionsPiece({ seed: this.#seed, blockSize }, this.#core.u8.subarray(from, from + bytes));
  }

  *mergePredictions(worker: number, predictions: Uint8Array): Generator<number, void> {
    const { blockSize } = this;
    yield* mergePredictions(
      { seed: this.#seed, blockSize },
      predictions,
      MAX_PROMPT / blockSize,
      (path, ticks) => {
        this.#check(worker);
        this.hashBuffer(path.length).set(path);
        return Math.max(0, this.#core.exports.predictHashed(worker, path.length, ticks));
      },
    );
  }

  load(worker: number): WorkerLoad {
    this.#check(worker);
    const { exports, f64 } = this.#core;
    return {
      activePrefillTokens: f64[(exports.prefillTokensArea() >>> 3) + worker]!,
      activeDecodeBlocks: f64[(exports.decodeBlocksArea() >>> 3) + worker]!,
      activeRequests: f64[(exports.requestsArea() >>> 3) + worker]!,
      storedBlocks: exports.heldBlocksOf(TIER_NUMBERS.device, worker),
      predictedBlocks: exports.heldBlocksOf(PREDICTED, worker),
      hostBlocks: exports.heldBlocksOf(TIER_NUMBERS.host, worker),
      diskBlocks: exports.heldBlocksOf(TIER_NUMBERS.disk, worker),
    };
  }

  stats(): RouterStats {
    const { exports, f64 } = this.#core;
    const at = exports.statsArea() >>> 3;
    const counters = Object.fromEntries(STAT_NAMES.map((name, i) => [name, f64[at + i]!]));
    return {
      ...(counters as Record<(typeof STAT_NAMES)[number], number>),
      workers: exports.workers(),
      memoryBytes: exports.memoryBytes(),
    };
  }

  setWeights(weights: Partial<CostWeights>): void {
    this.#weights = readWeights(this.#weights, weights);
    this.#configure();
  }

  mediaHash(identifier: string): bigint {
    return mediaHash(this.#core, identifier);
  }

  hashBlocks(tokens: Uint32Array, options: HashOptions): BlockHashes {
    integer("blockSize", options.blockSize, 1, 16_384);
    return hashBlocks(this.#core, tokens, options);
  }

  #configure(): void {
    const { creditDecay, prefillLoadScale, activeRequestWeight } = this.#weights;
    this.#core.exports.configure(creditDecay, prefillLoadScale, activeRequestWeight);
    const { recentPrefillWeight, recentPrefillSeconds } = this.#weights;
    this.#core.exports.configureRecent(recentPrefillWeight, keptPerTick(recentPrefillSeconds));
    const { hostCredit, diskCredit, sharedMultiplier } = this.#weights;
    this.#core.exports.configureTiers(hostCredit, diskCredit, sharedMultiplier);
  }

  #check(worker: number): void {
    if (Number.isInteger(worker) && worker >= 0 && this.#core.exports.hasWorker(worker)) return;
    throw new RouterError("unknown_worker", `There is no worker ${worker}.`);
  }
}

function copy<Numbers extends Uint32Array | Float64Array>(
  from: Numbers,
  at: number,
  to: Numbers,
  count: number,
): void {
  to.set(from.subarray(at, at + count));
}
