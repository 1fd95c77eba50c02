/**
 * The router's public types. Numbers are plain JavaScript numbers; only hashes, which are opaque 64-bit values, are
 * `bigint`, in a `BigUint64Array` wherever there may be many.
 */

/** How a worker is chosen. Every policy has the same candidates and books the same load. */
export type Policy = "kv" | "round-robin" | "random" | "least-loaded" | "power-of-two";

/** Weights of the `kv` cost, with Dynamo's names; Dynamo's own are `DYNAMO_WEIGHTS`. Finite and not negative. */
export interface CostWeights {
  /** Value of a cached block in blocks of prefill; default 2, Dynamo's 1. */
  overlapCredit: number;
  /** How fast the credit shrinks on a worker with more pending prefill than the least loaded one; default 0. */
  creditDecay: number;
  /** Factor on the prefill term; default 24, Dynamo's 1. */
  prefillLoadScale: number;
  /** Cost of a running request in blocks; default 0. */
  activeRequestWeight: number;
  /**
   * Cost of each block that a worker has recently prefilled, in blocks; default 0.15, Dynamo's 0. Spreads new
   * conversations over idle workers, whose caches would otherwise fill up one by one. Needs the time in `decide`.
   */
  recentPrefillWeight: number;
  /** Recent prefill decays to 1/e in this time; default 600. */
  recentPrefillSeconds: number;
  /** Value of a block that follows in the worker's host memory; default 1.5, Dynamo's 0.75. */
  hostCredit: number;
  /** Value of a block that follows on the worker's disk; default 0.5, Dynamo's 0.25. */
  diskCredit: number;
  /** Value of a block that follows in the shared pool; default 1. */
  sharedMultiplier: number;
  /** 0 picks the cheapest worker; above 0 samples from softmax(−cost / ((max − min) · temperature)); default 0. */
  temperature: number;
}

/** Where a block is stored: on the worker's device, in its host memory, on its disk, or in a shared pool. */
export type Tier = "device" | "host" | "disk" | "shared";

/** For how long, and how many, blocks of the prompts sent to a worker it is predicted to hold. */
export interface PredictionOptions {
  /** Time since the blocks were last sent, in steps of a tenth of a second. */
  ttlSeconds: number;
  /** Most blocks, of which the least recently sent are forgotten first; default: no limit. */
  capacityBlocks?: number | undefined;
}

/** Changes the block hashes: requests with different salts never share blocks. */
export interface Salt {
  /** Is in the hash of each block: engines repeat it in each event. */
  loraName?: string | undefined;
  /**
   * Separates tenants that must not share a cache. Is in the hash of one block, the tenant's first, since engines tell
   * it only with that block; no other tenant has the blocks that follow it. A router's own is in the hash of each.
   */
  namespace?: string | undefined;
  /** Leading blocks of a prompt that all tenants share; default 0. */
  sharedBlocks?: number | undefined;
}

export interface RouterOptions {
  /** Tokens per block, as in the engines: 1 to 16,384. */
  blockSize: number;
  /** Most workers at a time; default 1,024, at most 65,536. */
  maxWorkers?: number;
  /** Most distinct blocks in the index; default 4,194,304. At the limit, the least recently stored run is forgotten. */
  maxBlocks?: number;
  /** Blocks for which to preallocate the hash table, 8 bytes each; default 0. It grows as needed, at half the speed. */
  expectedBlocks?: number;
  /** Most requests in flight; default 65,536. At the limit, decisions are made but not booked. */
  maxBookings?: number;
  /** Most memory; default 4 GiB. At the limit, runs are forgotten, as at `maxBlocks`. */
  maxMemoryBytes?: number;
  salt?: Salt;
  weights?: Partial<CostWeights>;
  /**
   * Secret of 16 bytes: local hashes are then keyed. Events of workers that hash with the same key (`KvHasher`) come
   * with local hashes instead of token ids (`applyHashed`, `local_hashes` in a batch).
   */
  hashKey?: Uint8Array | undefined;
}

/** Per block, hashes of the media whose placeholders are in it; the order within a block does not matter. */
export type MediaHashes = readonly (BigUint64Array | null | undefined)[];

export interface EventOptions extends BlockExtras {
  /** Default: device. */
  tier?: Tier | undefined;
}

/** A batch of KV events that has been read. The router returns the same object each time. */
export interface EventBatch {
  /** Events in it that concern blocks. */
  events: number;
  /** Those of them that have token ids or local hashes. */
  storedEvents: number;
  /** Data-parallel rank of the worker that sent them. */
  rank: number;
}

/** What the block hashes of an event or prompt depend on besides tokens. */
export interface BlockExtras {
  /** Default: the router's own. LoRA adapters and tenants on the same workers share one router and its load. */
  salt?: Salt | undefined;
  mmHashes?: MediaHashes | undefined;
}

export interface DecideOptions extends BlockExtras {
  /** Length of the prompt that the caller has written into `tokenBuffer(tokenCount)`. */
  tokenCount: number;
  policy: Policy;
  /** The only candidate (session affinity, an explicit choice). */
  pinnedWorker?: number | undefined;
  /** Workers that must not be chosen this time (already tried, over a threshold). */
  excluded?: readonly number[] | undefined;
  /**
   * The caller's own cost terms, in blocks, by worker index; +Infinity or NaN excludes a worker. Workers beyond the
   * array's end have none.
   */
  terms?: Float64Array | undefined;
  /** Overrides the router's weight for this request. */
  overlapCredit?: number | undefined;
  /** Overrides the router's weight for this request. */
  temperature?: number | undefined;
  /** Uniform in [0, 1), for breaking ties and sampling. */
  random: number;
  /** Output tokens to book at once; default 0, for callers that report growth with `grow` instead. */
  expectedOutputTokens?: number | undefined;
  /** False decides without booking any load; default true. */
  book?: boolean | undefined;
  /**
   * Prefill is done elsewhere: no prefill is priced or booked, and the credit for cached blocks reduces the decode
   * blocks; default false. Such decisions have their own round robin.
   */
  decodeOnly?: boolean | undefined;
  /** The time in seconds on a monotonic clock. Needed for predictions to expire. */
  now?: number | undefined;
}

/** A worker whose load is at or over one of its limits is not a candidate. */
export interface LoadLimits {
  /** Booked prompt tokens that are not yet prefilled; default: no limit. */
  activePrefillTokens?: number | undefined;
  /** Blocks of booked requests; default: no limit. */
  activeDecodeBlocks?: number | undefined;
}

/** A decision. The router returns the same object each time: read it before the next `decide`. */
export interface Decision {
  /** The worker's index, or −1 if no worker is eligible. */
  worker: number;
  /** Blocks at the start of the prompt that the worker holds on its device, or is predicted to hold. */
  overlapBlocks: number;
  /** Those of them that it is only predicted to hold. */
  predictedBlocks: number;
  /** Blocks that follow in its host memory. */
  hostBlocks: number;
  /** Blocks that follow those on its disk. */
  diskBlocks: number;
  /** Blocks that follow those on the device in the shared pool. */
  sharedBlocks: number;
  /** The worker's `kv` cost in blocks under any policy; 0 if there is no worker. */
  cost: number;
  /** Handle for `firstToken`, `grow` and `free`; −1 if nothing was booked. */
  booking: number;
  /** Workers that were excluded only because they are at a limit; with `worker` −1, all otherwise eligible ones. */
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
  /** prefill + decode + the terms for running requests and recent prefill + the caller's term. */
  total: number;
}

/** The terms of a decision by worker index, in blocks; reusable, so that nothing is allocated. */
export interface CostTerms {
  overlapBlocks: Uint32Array;
  prefill: Float64Array;
  decode: Float64Array;
  /** +Infinity for a worker that was not a candidate. */
  total: Float64Array;
}

/** Load on a worker that this router has not booked itself. */
export interface AddedLoad {
  readonly prefillTokens: number;
  readonly decodeBlocks: number;
  readonly requests: number;
  /** Prompt tokens that others have just booked for prefill; never negative. Default 0. */
  readonly recentPrefillTokens?: number;
}

/** A worker's booked load, and the blocks that it holds according to its events. */
export interface WorkerLoad {
  activePrefillTokens: number;
  activeDecodeBlocks: number;
  activeRequests: number;
  storedBlocks: number;
  predictedBlocks: number;
  hostBlocks: number;
  diskBlocks: number;
}

/** Gauges and counters since the router was created. */
export interface RouterStats {
  workers: number;
  /** Distinct blocks held by at least one worker. */
  blocks: number;
  /** (block, worker) pairs on devices. */
  storedBlocks: number;
  /** The same for predictions, host memories and disks. */
  predictedBlocks: number;
  hostBlocks: number;
  diskBlocks: number;
  /** Blocks in the shared pool. */
  sharedBlocks: number;
  /** Runs of up to 32 blocks in which the blocks are stored. */
  runs: number;
  /** Booked requests that are not yet freed. */
  bookings: number;
  /** Size of the linear memory. It never shrinks; freed memory is reused. */
  memoryBytes: number;
  decisions: number;
  /** Decisions not booked because of `maxBookings`. */
  unbookedDecisions: number;
  /** Calls with a booking that is unknown or already freed. */
  staleBookings: number;
  /** Stored events whose parent the worker does not hold: an event was lost or arrived out of order. */
  ignoredEvents: number;
  /** Removed blocks that the worker did not hold. */
  unknownRemovals: number;
  /** Blocks forgotten to stay within the limits. */
  forgottenBlocks: number;
  /** Blocks that could not be stored because nothing could be forgotten instead. */
  refusedBlocks: number;
}

export interface HashOptions extends Salt {
  blockSize: number;
  mmHashes?: MediaHashes | undefined;
}

export interface BlockHashes {
  /** One per whole block: identifies its tokens. */
  blockHashes: BigUint64Array;
  /** One per whole block: identifies it and all blocks before it. */
  sequenceHashes: BigUint64Array;
}

/**
 * A KV-aware router: tracks which worker holds which blocks and how busy each is, and chooses workers for requests.
 * All methods are synchronous; a router must not be shared between threads.
 */
export interface Router {
  readonly blockSize: number;
  /** Whether local hashes are keyed. */
  readonly isKeyed: boolean;

  /** Adds an eligible, empty worker. Returns the lowest free index. Throws `worker_limit`. */
  addWorker(): number;
  /** Forgets the worker, its blocks and its load. Bookings on it stay valid and do nothing. */
  removeWorker(worker: number): void;
  /** Forgets the worker's blocks in all tiers, including predictions; its load stays. */
  clearWorker(worker: number): void;
  /** Forgets the blocks in the shared pool. */
  clearShared(): void;
  /** An ineligible worker is never chosen, but its blocks and load are kept. */
  setEligible(worker: number, eligible: boolean): void;
  /** Replaces both of the worker's load limits. Throws `bad_option` for a limit that is negative or not a number. */
  setLimits(worker: number, limits: LoadLimits): void;

  /**
   * A worker stored consecutive blocks. Returns how many of them the index now has for the worker: 0 if it does not
   * hold `parentHash` (`stats().ignoredEvents`). Throws `token_count` unless there are exactly
   * `blockHashes.length × blockSize` ids.
   */
  applyStored(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    tokenIds: Uint32Array,
    options?: EventOptions,
  ): number;
  /** The same for events with local hashes (`hashBlocks`, or `KvHasher` with a key) instead of token ids. */
  applyHashed(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    localHashes: BigUint64Array,
    tier?: Tier,
  ): number;
  /**
   * A tier received copies of blocks that the worker, in any tier, or the shared pool has under these hashes: engines
   * that offload blocks do not resend token ids. Returns how many it now has; others count as `ignoredEvents`.
   */
  applyCopied(worker: number, blockHashes: BigUint64Array, tier: Tier): number;
  /** A worker dropped blocks from a tier. Returns how many of them it held there. */
  applyRemoved(worker: number, blockHashes: BigUint64Array, tier?: Tier): number;

  /**
   * Reads a batch of KV events in vLLM's wire format (msgpack `[timestamp, [event…], data_parallel_rank]`, events as
   * maps or arrays) without creating objects; `applyBatch` applies it. Undefined for a batch with unsupported content:
   * LoRA names, media, salts, blocks of another size, or anything malformed. None of it is applied then: decode it
   * with a full decoder and apply its events one by one.
   */
  readBatch(payload: Uint8Array): EventBatch | undefined;
  /** Applies the last batch read, once. Returns how many blocks were stored or removed. */
  applyBatch(worker: number): number;

  /**
   * Enables `predict` for the worker: until its events arrive, or instead of events that its engine does not send.
   * Earlier predictions last no longer than the new time. Undefined disables and forgets predictions.
   */
  setPredictions(worker: number, options: PredictionOptions | undefined): void;
  /**
   * The worker was sent the prompt of the last `decide`, and will hold all its whole blocks. Returns how many: 0 if
   * predictions are off for the worker. Throws `stale_prompt` if a prompt or an event has been written since.
   */
  predict(worker: number): number;
  /** Ends expired predictions. `decide` does so too if given the time. */
  passTime(now: number): void;

  /**
   * The buffer for a prompt's ids: a view of linear memory, valid until the next call of any method other than
   * `decide`, `hashPrompt`, `predict` and `tokenBuffer` (memory growth detaches it).
   */
  tokenBuffer(length: number): Uint32Array;
  /** Copies a prompt's ids into the token buffer, without creating a view. */
  writePrompt(tokenIds: Uint32Array): void;
  /** Chooses a worker for the prompt in the token buffer and books its load. */
  decide(options: DecideOptions): Decision;
  /** All candidates of the last decision by worker index, with their costs at that time. */
  explain(): CandidateCost[];
  /**
   * Copies the terms of the last decision to the arrays, up to the length of the shortest. Returns how many workers,
   * candidates or not, the decision considered.
   */
  copyTerms(terms: CostTerms): number;

  /**
   * Writes all block hashes of the prompt in the token buffer to where `find` reads them. Returns a view like the
   * token buffer's. Throws `token_count` if the ids were not written.
   */
  hashPrompt(tokenCount: number, extras?: BlockExtras): BigUint64Array;
  /** The buffer for existing block hashes, for `find`: a view like the token buffer's. */
  hashBuffer(blocks: number): BigUint64Array;
  /**
   * Queries only the index: the longest overlap of any worker with the first `blocks` hashes, written by `hashPrompt`
   * or to `hashBuffer`. Chooses and books nothing; `explain` is empty afterwards. Throws `token_count` if that many
   * hashes cannot have been written.
   */
  find(blocks: number): number;
  /**
   * How many blocks at the start of the prompt the worker held at the last `find` or `decide`; for a tier other than
   * the device, how many followed there.
   */
  overlap(worker: number, tier?: Tier): number;

  /** The first token has arrived: frees the request's prefill load. Further calls have no effect. */
  firstToken(booking: number): void;
  /** The request's output has grown by this many blocks. */
  grow(booking: number, blocks: number): void;
  /** The request has ended in any way: frees all its load. */
  free(booking: number): void;
  /**
   * Adds load that others have booked on the worker; negative amounts remove it. Throws `unknown_worker`, or
   * `bad_option` for an amount that is not a finite number.
   */
  addLoad(worker: number, load: AddedLoad): void;
  /** The prompt tokens that the worker had to prefill recently, decayed to the time that the router was last given. */
  recentPrefill(worker: number): number;

  /**
   * Serializes the index with a version and checksums, in pieces of about `pieceBytes`: as it was when the first piece
   * was requested, even if events arrive meanwhile. Excludes predictions and load; salts are included only through the
   * hashes. `restoreRouter` creates a router from it. A new snapshot ends the current one. Throws `memory` if copies
   * of changed runs do not fit.
   */
  snapshot(pieceBytes?: number): Generator<Uint8Array<ArrayBuffer>, void>;

  /**
   * Stores, in addition to what is known, what the pieces of another router's snapshot say of some of its workers, as if
   * their events had arrived. A little of it each time the generator is advanced; it yields the (block, worker) pairs
   * stored since the last time. Then apply, in order, the workers' events after the snapshot began. Blocks that can no
   * longer be found, because the blocks before them are gone, and the shared pool are left out.
   * Throws `bad_snapshot` for a snapshot that is damaged, or has another version, block size, salt or key.
   * @param workers this router's workers by their indexes in the snapshot
   */
  merge(pieces: readonly Uint8Array[], workers: ReadonlyMap<number, number>): Generator<number, void>;
  /**
   * What the worker is predicted to hold and for how long, for another router's `mergePredictions`: all of it, or the
   * predictions made last if they are of more than `mostBlocks`, by default 131,072.
   */
  copyPredictions(worker: number, mostBlocks?: number): Uint8Array<ArrayBuffer>;
  /**
   * Predicts what another router has, no longer than `setPredictions` allows here. A little of it each time the
   * generator is advanced; it yields the blocks predicted since the last time. Throws `bad_snapshot` for those
   * of a router with another block size, salt or key, and for other bytes.
   */
  mergePredictions(worker: number, predictions: Uint8Array): Generator<number, void>;

  load(worker: number): WorkerLoad;
  stats(): RouterStats;
  /** Changes weights for all later decisions. */
  setWeights(weights: Partial<CostWeights>): void;
  /** The hash for `mmHashes` of an engine's identifier of a medium. Not for the hot path. */
  mediaHash(identifier: string): bigint;
  /** Block and sequence hashes of a token sequence, for tests and tools. Not for the hot path. */
  hashBlocks(tokens: Uint32Array, options: HashOptions): BlockHashes;
}
