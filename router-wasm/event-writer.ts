import { type Core, TIER_NUMBERS } from "./core.ts";
import { RouterError } from "./errors.ts";
import type { Salts } from "./hashing.ts";
import { writeMedia } from "./media.ts";
import type { BlockExtras, EventBatch, EventOptions, Tier } from "./types.ts";

/** Passes events to the core in pieces that fit its areas. The workers must exist. */
export class EventWriter {
  readonly #core: Core;
  readonly #salts: Salts;
  readonly #blockSize: number;
  readonly #batch: EventBatch = { events: 0, storedEvents: 0, rank: 0 };

  // Indexes into the core's memory; the areas never move.
  readonly #hashesAt: number;
  readonly #tokensAt: number;
  readonly #localsAt: number;
  readonly #resultAt: number;
  readonly #blocksPerPiece: number;

  constructor(core: Core, salts: Salts, blockSize: number) {
    const { exports } = core;
    this.#core = core;
    this.#salts = salts;
    this.#blockSize = blockSize;
    this.#hashesAt = exports.eventArea() >>> 3;
    this.#tokensAt = exports.eventTokensArea() >>> 2;
    this.#localsAt = exports.eventLocalsArea() >>> 3;
    this.#resultAt = exports.resultArea() >>> 3;
    this.#blocksPerPiece = exports.eventBlocks();
  }

  /**
   * Stores blocks with their token ids. Returns how many the index has now.
   * Throws `token_count` if the number of ids does not match.
   */
  stored(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    tokenIds: Uint32Array,
    options?: EventOptions,
  ): number {
    const blocks = blockHashes.length;
    if (tokenIds.length !== blocks * this.#blockSize) {
      const message = `${blocks} blocks of ${this.#blockSize} come with ${tokenIds.length} token ids: the worker's block size differs from the router's.`;
      throw new RouterError("token_count", message);
    }
    return this.#store(worker, options?.tier, blockHashes, parentHash, tokenIds, undefined, options);
  }

  /** The same with local hashes instead of token ids. */
  hashed(
    worker: number,
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    localHashes: BigUint64Array,
    tier?: Tier,
  ): number {
    if (localHashes.length !== blockHashes.length) {
      const message = `${blockHashes.length} block hashes come with ${localHashes.length} local hashes; there must be one for each.`;
      throw new RouterError("token_count", message);
    }
    return this.#store(worker, tier, blockHashes, parentHash, undefined, localHashes, undefined);
  }

  copied(worker: number, blockHashes: BigUint64Array, tier: Tier): number {
    let stored = 0;
    for (let done = 0; done < blockHashes.length; done += this.#blocksPerPiece) {
      const piece = this.#writeHashes(blockHashes, done);
      stored += this.#core.exports.storeCopies(TIER_NUMBERS[tier], worker, piece);
    }
    return stored;
  }

  removed(worker: number, blockHashes: BigUint64Array, tier: Tier = "device"): number {
    let removed = 0;
    for (let done = 0; done < blockHashes.length; done += this.#blocksPerPiece) {
      const piece = this.#writeHashes(blockHashes, done);
      removed += this.#core.exports.removeStored(TIER_NUMBERS[tier], worker, piece);
    }
    return removed;
  }

  /** Stores consecutive blocks, given by token ids or local hashes. Returns how many. */
  #store(
    worker: number,
    tier: Tier = "device",
    blockHashes: BigUint64Array,
    parentHash: bigint | undefined,
    tokenIds: Uint32Array | undefined,
    localHashes: BigUint64Array | undefined,
    extras: BlockExtras | undefined,
  ): number {
    const core = this.#core;
    const { exports } = core;
    const kind = TIER_NUMBERS[tier];
    const blocks = blockHashes.length;
    if (parentHash !== undefined) core.u64[this.#hashesAt] = parentHash;
    if (!exports.storeBegin(kind, worker, parentHash === undefined ? 0 : 1)) return 0;
    let done = 0;
    // Most events fit in one piece.
    while (done < blocks) {
      const piece = Math.min(blocks - done, this.#blocksPerPiece);
      core.u64.set(part(blockHashes, done, piece), this.#hashesAt);
      let stored: number;
      if (tokenIds !== undefined) {
        this.#salts.use(extras?.salt, done);
        core.u32.set(part(tokenIds, done * this.#blockSize, piece * this.#blockSize), this.#tokensAt);
        const hasMedia = writeMedia(core, extras?.mmHashes, done, piece);
        stored = exports.storeMore(kind, worker, piece, hasMedia ? 1 : 0);
      } else {
        core.u64.set(part(localHashes!, done, piece), this.#localsAt);
        stored = exports.storeMoreHashed(kind, worker, piece);
      }
      done += stored;
      if (stored < piece) break;
    }
    exports.storeEnd(blocks - done);
    return done;
  }

  /** Writes the next piece of the hashes to the core's area. Returns how many. */
  #writeHashes(blockHashes: BigUint64Array, done: number): number {
    const piece = Math.min(blockHashes.length - done, this.#blocksPerPiece);
    this.#core.u64.set(part(blockHashes, done, piece), this.#hashesAt);
    return piece;
  }

  /** Reads a batch in vLLM's wire format; undefined if it has content that the core does not support. */
  read(payload: Uint8Array): EventBatch | undefined {
    const core = this.#core;
    const area = core.exports.payloadArea(payload.length) >>> 0;
    if (area === 0) return undefined;
    core.u8.set(payload, area);
    const events = core.exports.readBatch(payload.length);
    if (events < 0) return undefined;
    this.#batch.events = events;
    this.#batch.rank = core.f64[this.#resultAt]!;
    this.#batch.storedEvents = core.f64[this.#resultAt + 1]!;
    return this.#batch;
  }

  /** Applies the last batch read. */
  applyRead(worker: number): number {
    this.#salts.use(undefined);
    return this.#core.exports.applyBatch(worker);
  }
}

/** A slice of the array, or the array itself if all of it is wanted. */
function part<Numbers extends Uint32Array | BigUint64Array>(
  numbers: Numbers,
  from: number,
  count: number,
): Numbers {
  return (count === numbers.length ? numbers : numbers.subarray(from, from + count)) as Numbers;
}
