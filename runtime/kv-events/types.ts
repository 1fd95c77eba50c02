/** Where a block lies: the accelerator's own memory, the host's, or a disk (or what else is behind a network). */
export type KvTier = "device" | "host" | "disk";

/**
 * KV events: what an engine's prefix cache holds, as the engine reports it. The wire format is vLLM's
 * (msgpack `[timestamp, [event…], data_parallel_rank]`), so that engines and routers meet without an adapter.
 */
export type KvEvent =
  | {
      type: "stored";
      /** The engine's own block hashes: opaque 64-bit values, in chain order. */
      blockHashes: BigUint64Array;
      /** Hash of the block before the first one; undefined at the start of a sequence. */
      parentHash: bigint | undefined;
      /**
       * Token ids of all the blocks, flat: `blockHashes.length × blockSize` of them. None for copies, with block size
       * 0: engines that offload blocks name only their hashes, under which the worker has them in another tier.
       */
      tokenIds: Uint32Array;
      blockSize: number;
      /** Absent: `device`. */
      tier?: KvTier;
      /** The LoRA adapter that the blocks were computed with. */
      loraName?: string;
      /**
       * For each block the engine's identifiers (content hashes, mostly) of the media whose placeholders are in it,
       * undefined for a block of text. Absent where no block has any.
       */
      mediaIds?: readonly (readonly string[] | undefined)[];
      /** Salt of the sequence: blocks with another one never match. Engines tell it with a sequence's first block. */
      cacheSalt?: string;
      /**
       * The engine's KV cache that the blocks are in, where layers of several kinds have one each: the same tokens are
       * then stored once in every one. Absent: 0, in most engines the only one.
       */
      group?: number;
      /** Whether that cache keeps only what its layers still look at: a window of a sequence, or its last state. */
      isWindowed?: true;
    }
  | {
      type: "removed";
      blockHashes: BigUint64Array;
      /** The tier that the blocks have left; they may still lie in another. Absent: `device`. */
      tier?: KvTier;
      /** The cache that the blocks have left, as above; another may still have its own of the same hashes. */
      group?: number;
    }
  | { type: "cleared" };

/** One event of a batch that cannot be read; the batch's others can. */
export interface UnreadableKvEvent {
  /** What is wrong with it, as half a sentence. */
  what: string;
  /** Whether it may have told of blocks that are gone, so that what is known of the cache may be no longer so. */
  mayBeRemoval: boolean;
  /** Of which cache it is, as above. */
  group: number;
  isWindowed: boolean;
}

export type KvStoredEvent = Extract<KvEvent, { type: "stored" }>;

/** One published batch. */
export interface KvEventBatch {
  /**
   * Counts up by one for each batch of a publisher, from 0. Every batch of a snapshot carries the number of the
   * first live batch after it.
   */
  sequence: number;
  /** Seconds since the epoch. */
  timestamp: number;
  events: KvEvent[];
  dataParallelRank: number;
}
