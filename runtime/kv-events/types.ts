/** Where a block is stored: accelerator memory, host memory, or disk (or other remote storage). */
export type KvTier = "device" | "host" | "disk";

/**
 * A KV event: a change of an engine's prefix cache, as the engine reports it. The wire format is vLLM's (msgpack
 * `[timestamp, [event…], data_parallel_rank]`), so engines and routers need no adapter.
 */
export type KvEvent =
  | {
      type: "stored";
      /** The engine's own block hashes: opaque 64-bit values, in chain order. */
      blockHashes: BigUint64Array;
      /** Hash of the block before the first one; undefined at the start of a sequence. */
      parentHash: bigint | undefined;
      /**
       * Token ids of all the blocks, concatenated: `blockHashes.length × blockSize` of them. Empty, with block size 0,
       * for copies: engines that offload blocks give only their hashes, which the worker has stored in another tier.
       * Empty too with `localHashes`.
       */
      tokenIds: Uint32Array;
      /**
       * In place of token ids: for each block a hash of the prompt up to it, which gateways with the worker's key find
       * for the same prompt (`PrivateKvEvents` in the workers' room). Blocks' media and salt are in it, and not given.
       */
      localHashes?: BigUint64Array;
      blockSize: number;
      /** Default `device`. */
      tier?: KvTier;
      /** The LoRA adapter that the blocks were computed with. */
      loraName?: string;
      /**
       * For each block the engine's identifiers (usually content hashes) of the media with placeholders in it, undefined
       * for a block of text. Absent if no block has media.
       */
      mediaIds?: readonly (readonly string[] | undefined)[];
      /** The sequence's salt: blocks with different salts never match. Engines send it with a sequence's first block. */
      cacheSalt?: string;
      /**
       * The engine's KV cache that holds the blocks, if several kinds of layers have one each: the same tokens are then
       * stored once in each. Default 0, in most engines the only one.
       */
      group?: number;
      /** Whether that cache keeps only what its layers still need: a window of a sequence, or its last state. */
      isWindowed?: true;
    }
  | {
      type: "removed";
      blockHashes: BigUint64Array;
      /** The tier that the blocks were removed from; another may still have them. Default `device`. */
      tier?: KvTier;
      /** The cache that the blocks were removed from, as above; others may still have blocks of the same hashes. */
      group?: number;
    }
  | { type: "cleared" };

/** An unreadable event in a batch. */
export interface UnreadableKvEvent {
  /** The problem, as half a sentence. */
  what: string;
  /** Whether it may have been a removal, so that the known state of the cache may be stale. */
  mayBeRemoval: boolean;
  /** Its cache, as above. */
  group: number;
  isWindowed: boolean;
}

export type KvStoredEvent = Extract<KvEvent, { type: "stored" }>;

/** One published batch. */
export interface KvEventBatch {
  /**
   * Increases by one per batch of a publisher, from 0. Every batch of a snapshot has the number of the first live batch
   * after it.
   */
  sequence: number;
  /** Seconds since the epoch. */
  timestamp: number;
  events: KvEvent[];
  dataParallelRank: number;
}
