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
      /** Token ids of all the blocks, flat: `blockHashes.length × blockSize` of them. */
      tokenIds: Uint32Array;
      blockSize: number;
    }
  | { type: "removed"; blockHashes: BigUint64Array }
  | { type: "cleared" };

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
