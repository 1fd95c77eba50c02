import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HashVector } from "./fixtures/hash-vector.ts";
import { referenceHashBlocks } from "./reference-model.ts";
import { newRouter } from "./test-router.ts";

/** Verified against dynamo-kv-router 1.6.1. */
const vectors: HashVector[] = JSON.parse(
  readFileSync(new URL("fixtures/block-hash-vectors.json", import.meta.url), "utf8"),
);
const router = newRouter({ blockSize: 16, maxBlocks: 64, maxBookings: 16 });

describe("block hashes", () => {
  it("has all the vectors", () => {
    expect(vectors).toHaveLength(61);
  });

  for (const [i, vector] of vectors.entries()) {
    const { tokens, block_size: blockSize, lora_name, cache_namespace, mm_hashes } = vector;
    it(`vector ${i}: ${tokens.length} tokens in blocks of ${blockSize}`, () => {
      const options = {
        blockSize,
        loraName: lora_name ?? undefined,
        namespace: cache_namespace ?? undefined,
        mmHashes: mm_hashes?.map((hashes) => hashes && BigUint64Array.from(hashes.map(BigInt))),
      };
      const ids = Uint32Array.from(tokens);
      const expected = {
        blockHashes: BigUint64Array.from(vector.block_hashes.map(BigInt)),
        sequenceHashes: BigUint64Array.from(vector.sequence_hashes.map(BigInt)),
      };
      expect(router.hashBlocks(ids, options)).toEqual(expected);
      expect(referenceHashBlocks(ids, options)).toEqual(expected);
    });
  }

  it("agrees with the reference for names of every length", () => {
    for (let length = 0; length <= 1200; length += length < 260 ? 1 : 37) {
      const options = { blockSize: 4, loraName: "n".repeat(length), namespace: "é".repeat(length >> 1) };
      const tokens = Uint32Array.of(length, 0xffffffff, 0, 0x80000000);
      expect(router.hashBlocks(tokens, options)).toEqual(referenceHashBlocks(tokens, options));
    }
  });

  it("agrees with the reference for blocks of 1 to 512 tokens and ids at the limits", () => {
    const id = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat(0xffffffff));
    const mediaHash = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    const media = fc.option(
      fc.array(mediaHash, { maxLength: 5 }).map((hashes) => BigUint64Array.from(hashes)),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 512 }),
        fc.array(id, { maxLength: 1100 }),
        fc.array(media, { maxLength: 4 }),
        fc.option(fc.string({ unit: "grapheme" }), { nil: undefined }),
        (blockSize, ids, mmHashes, loraName) => {
          const options = { blockSize, mmHashes, loraName };
          const tokens = Uint32Array.from(ids);
          expect(router.hashBlocks(tokens, options)).toEqual(referenceHashBlocks(tokens, options));
        },
      ),
    );
  });
});
