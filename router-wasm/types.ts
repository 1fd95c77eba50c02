/**
 * The router's public types. Numbers are plain JavaScript numbers; only engine hashes, which are opaque 64-bit
 * values, travel as `bigint`, and always inside a `BigUint64Array` where there can be many of them.
 */

/** How a decision is made. Every policy sees the same candidates and books the same load. */
export type Policy = "kv" | "round-robin" | "random" | "least-loaded" | "power-of-two";

/** Weights of the `kv` cost, with Dynamo's names; Dynamo's own are `DYNAMO_WEIGHTS`. Finite and not negative. */
export interface CostWeights {
  /** Worth of one cached block in blocks of prefill saved; default 2, Dynamo's 1. */
  overlapCredit: number;
  /** How fast the credit shrinks on a worker with more prefill waiting than the least loaded one; default 0. */
  creditDecay: number;
  /** Factor on the prefill term; default 24, Dynamo's 1. */
  prefillLoadScale: number;
  /** Blocks that one running request is worth; default 0. */
  activeRequestWeight: number;
  /**
   * Blocks that each block is worth which a worker had to prefill lately; default 0.15, Dynamo's 0. It spreads new
   * conversations over idle workers, whose caches would else fill up one by one. Needs the time in `decide`.
   */
  recentPrefillWeight: number;
  /** Such a block fades: so many seconds leave 1/e of it; default 600. */
  recentPrefillSeconds: number;
  /** Worth of a block that follows in the worker's host memory; default 1.5, Dynamo's 0.75. */
  hostCredit: number;
  /** Worth of a block that follows on the worker's disk; default 0.5, Dynamo's 0.25. */
  diskCredit: number;
  /** Worth of a block that follows in the shared pool; default 1. */
  sharedMultiplier: number;
  /** 0 takes the cheapest worker; above 0 samples from softmax(−cost / ((max − min) · temperature)); default 0. */
  temperature: number;
}

/** Where a block lies: on the worker's device, in its host's memory, on its disk, or in a pool that all share. */
export type Tier = "device" | "host" | "disk" | "shared";

/** How long, and how many blocks of what a worker was sent it is predicted to hold. */
export interface PredictionOptions {
  /** From when it was sent last; kept to a tenth of a second. */
  ttlSeconds: number;
  /** Blocks at most, the least recently sent being forgotten first; default: no limit. */
  capacityBlocks?: number | undefined;
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

export interface EventOptions extends BlockExtras {
  /** Default: device. */
  tier?: Tier | undefined;
}

/** A batch of KV events that has been read. The router hands out the same object each time. */
export interface EventBatch {
  /** Events in it that say something about blocks. */
  events: number;
  /** Those of them that say which tokens are in blocks. */
  storedEvents: number;
  /** Data-parallel rank of the worker that they are from. */
  rank: number;
}

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
  /**
   * Terms of the caller's own, by worker index, that are added to the costs, in blocks; +Infinity or NaN leaves a
   * worker out. Workers beyond the array's end get none.
   */
  terms?: Float64Array | undefined;
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
  /**
   * Prefill is done elsewhere: no prefill is priced or booked, and the credit for cached blocks counts against the
   * decode blocks; default false.
   */
  decodeOnly?: boolean | undefined;
  /** The time, in seconds of a clock that does not go back. Needed for predictions to end. */
  now?: number | undefined;
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
  /** Blocks at the start of the prompt that the worker holds on its device, or is predicted to. */
  overlapBlocks: number;
  /** Those of them that it is only predicted to hold. */
  predictedBlocks: number;
  /** Blocks that follow in its host memory. */
  hostBlocks: number;
  /** Blocks that follow those on its disk. */
  diskBlocks: number;
  /** Blocks that follow those on the device in the shared pool. */
  sharedBlocks: number;
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
  hostBlocks: number;
  diskBlocks: number;
  sharedBlocks: number;
  prefill: number;
  decode: number;
  /** prefill + decode + the terms for running requests and recent prefill + the caller's own. */
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
  predictedBlocks: number;
  hostBlocks: number;
  diskBlocks: number;
}

/** Gauges and counters since the router was made. */
export interface RouterStats {
  workers: number;
  /** Distinct blocks held by at least one worker. */
  blocks: number;
  /** (block, worker) pairs on devices. */
  storedBlocks: number;
  /** The same that are predicted, in host memories and on disks. */
  predictedBlocks: number;
  hostBlocks: number;
  diskBlocks: number;
  /** Blocks in the shared pool. */
  sharedBlocks: number;
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
  /** Forgets the worker's blocks, in all tiers and predicted ones too; its load stays. */
  clearWorker(worker: number): void;
  /** Forgets the blocks in the shared pool. */
  clearShared(): void;
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
    options?: EventOptions,
  ): number;
  /** The same for blocks whose local hashes (`hashBlocks`) are known: events that carry them in place of the ids. */
  applyHashed(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    localHashes: BigUint64Array,
    tier?: Tier,
  ): number;
  /**
   * A tier got copies of blocks that the worker, in any tier, or the shared pool has under these hashes: engines that
   * offload blocks do not send their ids again. Returns how many it now has; others are counted in `ignoredEvents`.
   */
  applyCopied(worker: number, blockHashes: BigUint64Array, tier: Tier): number;
  /** A worker dropped blocks from a tier. Returns how many of them it held there. */
  applyRemoved(worker: number, blockHashes: BigUint64Array, tier?: Tier): number;

  /**
   * Reads a batch of KV events in vLLM's wire format (msgpack `[timestamp, [event…], data_parallel_rank]`, events as
   * maps or arrays) without making an object of any; `applyBatch` applies it. Undefined for a batch that holds more
   * than this reads: LoRA names, media, salts, blocks of another size, or anything malformed. Then nothing of it is
   * applied: decode it otherwise and apply its events one by one.
   */
  readBatch(payload: Uint8Array): EventBatch | undefined;
  /** Applies the batch read last, once. Returns how many blocks were stored or removed. */
  applyBatch(worker: number): number;

  /**
   * From now on `predict` counts for the worker: beside events, until they arrive, or in place of events that its
   * engine does not send. What was predicted before lasts no longer than the new time. Undefined ends it and forgets
   * what was predicted.
   */
  setPredictions(worker: number, options: PredictionOptions | undefined): void;
  /**
   * The worker was sent the prompt of the last `decide` and will hold all its whole blocks. Returns how many: 0 where
   * predictions are off for the worker. Throws `stale_prompt` when the prompt or an event has been written since.
   */
  predict(worker: number): number;
  /** Ends predictions whose time is over. `decide` does so too, given the time. */
  passTime(now: number): void;

  /**
   * Where to write a prompt's ids: a view into linear memory, valid until the next call of any method but `decide`,
   * `hashPrompt`, `predict` and `tokenBuffer` itself (growth of the memory detaches it).
   */
  tokenBuffer(length: number): Uint32Array;
  /** Copies a prompt's ids into the token buffer: the same as setting them there, without making a view. */
  writePrompt(tokenIds: Uint32Array): void;
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
  /**
   * How many blocks the worker held at the start of the prompt of the last `find` or `decide`; with a tier other than
   * the device's: how many followed there.
   */
  overlap(worker: number, tier?: Tier): number;

  /** The first token has come: the request's prefill load is gone. Again: nothing happens. */
  firstToken(booking: number): void;
  /** The request's output takes up more blocks. */
  grow(booking: number, blocks: number): void;
  /** The request ended, in whatever way: all its load is gone. */
  free(booking: number): void;

  /**
   * The index as bytes, with a version and checksums, in pieces of about that many: what it was when the first piece was
   * asked for, whatever events come while the pieces are taken. Neither predictions nor load are in it, and salts only
   * in what they make of the hashes. A router starts from it with `restoreRouter`. One snapshot at a time: another ends
   * this one. Throws `memory` when the copies of what changes meanwhile find no room.
   */
  snapshot(pieceBytes?: number): Generator<Uint8Array<ArrayBuffer>, void>;

  load(worker: number): WorkerLoad;
  stats(): RouterStats;
  /** Changes weights for all later decisions. */
  setWeights(weights: Partial<CostWeights>): void;
  /** The hash of a medium from an engine's identifier of it, as `mmHashes` take it. Not for the hot path. */
  mediaHash(identifier: string): bigint;
  /** Block and sequence hashes of a token sequence, for tests and tools. Not for the hot path. */
  hashBlocks(tokens: Uint32Array, options: HashOptions): BlockHashes;
}
