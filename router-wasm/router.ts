import { Core, POLICY_NUMBERS, STAT_NAMES } from "./core.ts";
import { RouterError } from "./errors.ts";
import { hashBlocks, Salts } from "./hashing.ts";
import { writeMedia } from "./media.ts";
import { DEFAULT_WEIGHTS, integer, loadLimit, readLimits, readWeights, weight } from "./options.ts";
import type {
  BlockExtras,
  BlockHashes,
  CandidateCost,
  CostTerms,
  CostWeights,
  DecideOptions,
  Decision,
  HashOptions,
  LoadLimits,
  Router,
  RouterOptions,
  RouterStats,
  Salt,
  WorkerLoad,
} from "./types.ts";

/** Compiles the core. On hosts that hand over a compiled module (workerd) this step is not needed. */
export async function compileRouter(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new RouterError("bad_module", "The router's WebAssembly file does not compile: build it again.", {
      cause,
    });
  }
}

/** Makes a router with a memory of its own. Throws `bad_option`, `bad_module` or `memory`. */
export function createRouter(module: WebAssembly.Module, options: RouterOptions): Router {
  return new WasmRouter(new Core(module), options);
}

/** Tokens. */
const MAX_PROMPT = 0x0fffffff;

class WasmRouter implements Router {
  readonly blockSize: number;
  readonly #core: Core;
  readonly #maxWorkers: number;
  #weights: CostWeights;
  readonly #decision: Decision = { worker: -1, overlapBlocks: 0, cost: 0, booking: -1, busyWorkers: 0 };

  // Indexes into the core's memory, which never move.
  readonly #hashesAt: number;
  readonly #tokensAt: number;
  readonly #resultAt: number;
  readonly #blocksPerPiece: number;

  readonly #salts: Salts;

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
    const area = exports.eventArea();
    if (!ready || area === 0)
      throw new RouterError("memory", "There is not enough memory for the router's limits.");
    this.#core = core;
    this.blockSize = limits.blockSize;
    this.#maxWorkers = limits.maxWorkers;
    this.#hashesAt = area >>> 3;
    this.#tokensAt = exports.eventTokensArea() >>> 2;
    this.#resultAt = exports.resultArea() >>> 3;
    this.#blocksPerPiece = exports.eventBlocks();
    this.#configure();
    this.#salts.use(0);
  }

  addWorker(): number {
    const worker = this.#core.exports.addWorker();
    if (worker >= 0) return worker;
    throw new RouterError(
      "worker_limit",
      `The router has its ${this.#maxWorkers} workers already: raise maxWorkers.`,
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

  salt(salt: Salt): number {
    return this.#salts.number(salt);
  }

  applyStored(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    tokenIds: Uint32Array,
    extras?: BlockExtras,
  ): number {
    this.#check(worker);
    const blocks = blockHashes.length;
    if (tokenIds.length !== blocks * this.blockSize) {
      const message = `${blocks} blocks of ${this.blockSize} come with ${tokenIds.length} token ids: the worker's block size differs from the router's.`;
      throw new RouterError("token_count", message);
    }
    const core = this.#core;
    this.#salts.use(extras?.salt ?? 0);
    if (parentHash !== undefined) core.u64[this.#hashesAt] = parentHash;
    if (!core.exports.storeBegin(worker, parentHash === undefined ? 0 : 1)) return 0;
    let done = 0;
    // One piece for most events; an array given whole is not sliced.
    while (done < blocks) {
      const piece = Math.min(blocks - done, this.#blocksPerPiece);
      const whole = piece === blocks;
      core.u64.set(whole ? blockHashes : blockHashes.subarray(done, done + piece), this.#hashesAt);
      const from = done * this.blockSize;
      core.u32.set(whole ? tokenIds : tokenIds.subarray(from, from + piece * this.blockSize), this.#tokensAt);
      const stored = core.exports.storeMore(
        worker,
        piece,
        writeMedia(core, extras?.mmHashes, done, piece) ? 1 : 0,
      );
      done += stored;
      if (stored < piece) break;
    }
    core.exports.storeEnd(blocks - done);
    return done;
  }

  applyRemoved(worker: number, blockHashes: BigUint64Array): number {
    this.#check(worker);
    const core = this.#core;
    let removed = 0;
    for (let done = 0; done < blockHashes.length; done += this.#blocksPerPiece) {
      const piece = Math.min(blockHashes.length - done, this.#blocksPerPiece);
      const whole = piece === blockHashes.length;
      core.u64.set(whole ? blockHashes : blockHashes.subarray(done, done + piece), this.#hashesAt);
      removed += core.exports.removeStored(worker, piece);
    }
    return removed;
  }

  tokenBuffer(length: number): Uint32Array {
    integer("The prompt's length", length, 0, MAX_PROMPT);
    const { exports } = this.#core;
    const area = exports.promptArea(length);
    if (area === 0 && length > 0)
      throw new RouterError("memory", `No memory for a prompt of ${length} tokens.`);
    return new Uint32Array(exports.memory.buffer, area, length);
  }

  decide(options: DecideOptions): Decision {
    const { exports } = this.#core;
    const { policy, random, pinnedWorker, excluded } = options;
    if (!(random >= 0 && random < 1)) {
      throw new RouterError("bad_option", `random is ${random}; it must be at least 0 and less than 1.`);
    }
    const pinned = pinnedWorker === undefined ? -1 : integer("pinnedWorker", pinnedWorker, 0, 0x7fffffff);
    const overlapCredit = weight("overlapCredit", options.overlapCredit ?? this.#weights.overlapCredit);
    const temperature = weight("temperature", options.temperature ?? this.#weights.temperature);
    const expectedTokens = weight("expectedOutputTokens", options.expectedOutputTokens ?? 0);
    this.#salts.use(options.salt ?? 0);
    const media = writeMedia(this.#core, options.mmHashes, 0, Number.POSITIVE_INFINITY);
    // Nothing may throw from here to the decision, which opens the gates again.
    if (excluded !== undefined) for (const worker of excluded) exports.exclude(worker);
    const worker = exports.decide(
      options.tokenCount,
      POLICY_NUMBERS[policy],
      pinned,
      overlapCredit,
      temperature,
      random,
      expectedTokens,
      media ? 1 : 0,
      options.book === false ? 0 : 1,
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
    return decision;
  }

  explain(): CandidateCost[] {
    const { exports, f64, u32 } = this.#core;
    const overlaps = exports.overlapsArea() >>> 2;
    const prefills = exports.prefillTermsArea() >>> 3;
    const decodes = exports.decodeTermsArea() >>> 3;
    const totals = exports.totalsArea() >>> 3;
    const candidates: CandidateCost[] = [];
    for (let worker = 0; worker < exports.pricedWorkers(); worker++) {
      const total = f64[totals + worker]!;
      if (total === Number.POSITIVE_INFINITY) continue;
      const overlapBlocks = u32[overlaps + worker]!;
      candidates.push({
        worker,
        overlapBlocks,
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
    this.#salts.use(extras?.salt ?? 0);
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
    const area = exports.hashesArea(blocks);
    if (area === 0 && blocks > 0)
      throw new RouterError("memory", `No memory for a query of ${blocks} blocks.`);
    return new BigUint64Array(exports.memory.buffer, area, blocks);
  }

  find(blocks: number): number {
    const longest = this.#core.exports.find(blocks);
    if (longest >= 0) return longest;
    const message = `The query's ${blocks} hashes were not written: call hashPrompt or hashBuffer first.`;
    throw new RouterError("token_count", message);
  }

  overlap(worker: number): number {
    this.#check(worker);
    const { exports, u32 } = this.#core;
    return u32[(exports.overlapsArea() >>> 2) + worker]!;
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

  load(worker: number): WorkerLoad {
    this.#check(worker);
    const { exports, f64 } = this.#core;
    return {
      activePrefillTokens: f64[(exports.prefillTokensArea() >>> 3) + worker]!,
      activeDecodeBlocks: f64[(exports.decodeBlocksArea() >>> 3) + worker]!,
      activeRequests: f64[(exports.requestsArea() >>> 3) + worker]!,
      storedBlocks: exports.storedBlocksOf(worker),
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

  hashBlocks(tokens: Uint32Array, options: HashOptions): BlockHashes {
    integer("blockSize", options.blockSize, 1, 16_384);
    return hashBlocks(this.#core, tokens, options);
  }

  #configure(): void {
    const { creditDecay, prefillLoadScale, activeRequestWeight } = this.#weights;
    this.#core.exports.configure(creditDecay, prefillLoadScale, activeRequestWeight);
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
