/**
 * The router's public types. Numbers are plain JavaScript numbers; only engine hashes, which are opaque 64-bit
 * values, travel as `bigint`, and always inside a `BigUint64Array` where there can be many of them.
 */

/** How a decision is made. Every policy sees the same candidates and books the same load. */
export type Policy = "kv" | "round-robin" | "random" | "least-loaded" | "power-of-two";

/** Weights of the `kv` cost, with Dynamo's names and defaults. Finite and not negative. */
export interface CostWeights {
  /** Worth of one cached block in blocks of prefill saved; default 1. */
  overlapCredit: number;
  /** How fast the credit shrinks on a worker with more prefill waiting than the least loaded one; default 0. */
  creditDecay: number;
  /** Factor on the prefill term; default 1. */
  prefillLoadScale: number;
  /** Blocks that one running request is worth; default 0. */
  activeRequestWeight: number;
  /** 0 takes the cheapest worker; above 0 samples from softmax(−cost / ((max − min) · temperature)); default 0. */
  temperature: number;
}

/** What changes the block hashes besides the tokens: requests with different salts never share blocks. */
export interface Salt {
  loraName?: string | undefined;
  /** Separates tenants that must not share a cache. */
  namespace?: string | undefined;
}

export interface RouterOptions {
  /** Tokens in a block, as the engines count them: 1 to 16,384. */
  blockSize: number;
  /** Workers at one time; default 1,024, at most 65,536. */
  maxWorkers?: number;
  /** Distinct blocks in the index; default 4,194,304. At the limit the run least recently stored is forgotten. */
  maxBlocks?: number;
  /** Blocks to make a hash table for at once, 8 bytes each; default 0. It grows as needed, at half the speed. */
  expectedBlocks?: number;
  /** Requests in flight at one time; default 65,536. At the limit decisions are made but not booked. */
  maxBookings?: number;
  /** Memory at most; default 4 GiB. At the limit runs are forgotten, as at `maxBlocks`. */
  maxMemoryBytes?: number;
  salt?: Salt;
  weights?: Partial<CostWeights>;
}

/** Per block, hashes of the media whose placeholders lie in it; order within a block does not matter. */
export type MediaHashes = readonly (BigUint64Array | null | undefined)[];

/** What else an event's or a prompt's block hashes depend on. */
export interface BlockExtras {
  /** From `Router.salt`; default: the router's own. */
  salt?: number | undefined;
  mmHashes?: MediaHashes | undefined;
}

export interface DecideOptions extends BlockExtras {
  /** Length of the prompt, whose ids the caller has written into `tokenBuffer(tokenCount)`. */
  tokenCount: number;
  policy: Policy;
  /** Only this worker will do (session affinity, an explicit choice). */
  pinnedWorker?: number | undefined;
  /** Workers that will not do this time (already tried, over a threshold). */
  excluded?: readonly number[] | undefined;
  /** Overrides the router's weight for this request. */
  overlapCredit?: number | undefined;
  /** Overrides the router's weight for this request. */
  temperature?: number | undefined;
  /** Uniform in [0, 1): breaks ties, samples. */
  random: number;
  /** Output tokens to book at once; default 0, for callers that report growth with `grow` instead. */
  expectedOutputTokens?: number | undefined;
  /** False asks without booking any load; default true. */
  book?: boolean | undefined;
}

/** A worker whose load is at or over a limit of its own is no candidate. */
export interface LoadLimits {
  /** Prompt tokens booked and not yet prefilled; default: no limit. */
  activePrefillTokens?: number | undefined;
  /** Blocks of the requests booked; default: no limit. */
  activeDecodeBlocks?: number | undefined;
}

/** A choice. The router hands out the same object each time: read it before the next `decide`. */
export interface Decision {
  /** The worker's index, −1 when no worker is eligible. */
  worker: number;
  /** Blocks at the start of the prompt that the worker holds. */
  overlapBlocks: number;
  /** The worker's `kv` cost in blocks, whatever the policy; 0 when there is no worker. */
  cost: number;
  /** Handle for `firstToken`, `grow` and `free`; −1 when nothing was booked. */
  booking: number;
  /** Workers that were no candidates only because they are at a limit; with `worker` −1, all that would do. */
  busyWorkers: number;
}

/** One candidate of the last decision. Terms are in blocks. */
export interface CandidateCost {
  worker: number;
  overlapBlocks: number;
  prefill: number;
  decode: number;
  /** prefill + decode + the term for running requests. */
  total: number;
}

/** The terms of a decision by worker index, in blocks, for callers that keep many: nothing is allocated. */
export interface CostTerms {
  overlapBlocks: Uint32Array;
  prefill: Float64Array;
  decode: Float64Array;
  /** +Infinity for a worker that was no candidate. */
  total: Float64Array;
}

/** What a worker is busy with, as booked, and what it holds, as its events say. */
export interface WorkerLoad {
  activePrefillTokens: number;
  activeDecodeBlocks: number;
  activeRequests: number;
  storedBlocks: number;
}

/** Gauges and counters since the router was made. */
export interface RouterStats {
  workers: number;
  /** Distinct blocks held by at least one worker. */
  blocks: number;
  /** (block, worker) pairs. */
  storedBlocks: number;
  /** Runs of up to 32 blocks that the blocks live in. */
  runs: number;
  /** Requests booked and not yet freed. */
  bookings: number;
  /** Size of the linear memory. It never shrinks; what was removed is used again. */
  memoryBytes: number;
  decisions: number;
  /** Decisions not booked because `maxBookings` were in flight. */
  unbookedDecisions: number;
  /** Calls with a booking that is unknown or already freed. */
  staleBookings: number;
  /** Stored events whose parent the worker does not hold: some event was lost, or came out of order. */
  ignoredEvents: number;
  /** Removed blocks that the worker did not hold. */
  unknownRemovals: number;
  /** Blocks forgotten to stay within `maxBlocks`. */
  forgottenBlocks: number;
  /** Blocks that could not be stored because nothing could be forgotten for them. */
  refusedBlocks: number;
}

export interface HashOptions extends Salt {
  blockSize: number;
  mmHashes?: MediaHashes | undefined;
}

export interface BlockHashes {
  /** One for each whole block: identifies its tokens. */
  blockHashes: BigUint64Array;
  /** One for each whole block: identifies it and all blocks before it. */
  sequenceHashes: BigUint64Array;
}

/**
 * A KV-aware router: which worker holds which blocks, how busy each is, and whom to send a request to.
 * All methods are synchronous; a router must not be shared between threads.
 */
export interface Router {
  readonly blockSize: number;

  /** Adds a worker, eligible and empty; the lowest free index. Throws `worker_limit`. */
  addWorker(): number;
  /** Forgets the worker, its blocks and its load. Bookings on it stay valid and do nothing. */
  removeWorker(worker: number): void;
  /** Forgets the worker's blocks; its load stays. */
  clearWorker(worker: number): void;
  /** An ineligible worker is never chosen, yet its blocks and load are kept. */
  setEligible(worker: number, eligible: boolean): void;
  /** Sets the worker's load limits, both anew. Throws `bad_option` for one that is negative or no number. */
  setLimits(worker: number, limits: LoadLimits): void;

  /**
   * A number for a salt, to give with events and prompts: workers that serve several LoRA adapters or tenants share
   * one router, and with it their load, but not their blocks. The same salt always has the same number.
   */
  salt(salt: Salt): number;

  /**
   * A worker stored consecutive blocks. Returns how many of them the index now has for the worker: 0 when it does
   * not hold `parentHash` (`stats().ignoredEvents`). Throws `token_count` unless there are exactly
   * `blockHashes.length × blockSize` ids.
   */
  applyStored(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    tokenIds: Uint32Array,
    extras?: BlockExtras,
  ): number;
  /** A worker dropped blocks. Returns how many of them it held. */
  applyRemoved(worker: number, blockHashes: BigUint64Array): number;

  /**
   * Where to write a prompt's ids: a view into linear memory, valid until the next call of any method but `decide`,
   * `hashPrompt` and `tokenBuffer` itself (growth of the memory detaches it).
   */
  tokenBuffer(length: number): Uint32Array;
  /** Chooses a worker for the prompt in the token buffer and books its load. */
  decide(options: DecideOptions): Decision;
  /** Every candidate of the last decision, by worker index, with the costs at that moment. */
  explain(): CandidateCost[];
  /**
   * Copies the terms of the last decision to the arrays, as far as the shortest reaches. Returns how many workers,
   * candidates or not, the decision looked at.
   */
  copyTerms(terms: CostTerms): number;

  /**
   * Block hashes of the prompt in the token buffer, all of them, where `find` reads them: a view like the token
   * buffer's. Throws `token_count` when the ids were not written.
   */
  hashPrompt(tokenCount: number, extras?: BlockExtras): BigUint64Array;
  /** Where to write block hashes that are known already, for `find`: a view like the token buffer's. */
  hashBuffer(blocks: number): BigUint64Array;
  /**
   * Asks the index alone: how many of the first `blocks` hashes, written by `hashPrompt` or to `hashBuffer`, the
   * worker has that holds the most of them from the start. Chooses and books nothing; `explain` is empty afterwards.
   * Throws `token_count` when that many hashes cannot have been written.
   */
  find(blocks: number): number;
  /** How many blocks the worker held at the start of the prompt of the last `find` or `decide`. */
  overlap(worker: number): number;

  /** The first token has come: the request's prefill load is gone. Again: nothing happens. */
  firstToken(booking: number): void;
  /** The request's output takes up more blocks. */
  grow(booking: number, blocks: number): void;
  /** The request ended, in whatever way: all its load is gone. */
  free(booking: number): void;

  load(worker: number): WorkerLoad;
  stats(): RouterStats;
  /** Changes weights for all later decisions. */
  setWeights(weights: Partial<CostWeights>): void;
  /** Block and sequence hashes of a token sequence, for tests and tools. Not for the hot path. */
  hashBlocks(tokens: Uint32Array, options: HashOptions): BlockHashes;
}
