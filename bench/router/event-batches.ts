import { encodeKvEvents } from "#runtime";
import { BLOCK_SIZE, writeTokens } from "./workload.ts";

/** Batches in vLLM's wire format, each of which stores different blocks. */
export function makeBatches(blocks: number, batches: number): Uint8Array[] {
  const tokens = new Uint32Array(Math.max(512, blocks * BLOCK_SIZE));
  return Array.from({ length: batches }, (_, batch) => {
    for (let at = 0; at < tokens.length; at += 512)
      writeTokens((batch * blocks * BLOCK_SIZE + at) / 512, tokens, at);
    const first = BigInt(batch * blocks + 1) << 20n;
    return encodeKvEvents({
      timestamp: 0,
      dataParallelRank: 0,
      events: [
        {
          type: "stored",
          blockHashes: BigUint64Array.from({ length: blocks }, (_, i) => first + (BigInt(i) << 20n)),
          parentHash: undefined,
          tokenIds: tokens.slice(0, blocks * BLOCK_SIZE),
          blockSize: BLOCK_SIZE,
        },
      ],
    });
  });
}
