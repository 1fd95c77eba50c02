import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KvHasher, type MediaHashes, RouterError } from "./index.ts";
import { referenceSipHash } from "./reference-sip-hash.ts";
import { hashesFrom, newRouter, routerModule, tokensOf } from "./test-router.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);
const OTHER_KEY = KEY.map((byte) => byte ^ 1);
const BLOCK_SIZE = 4;

const hasher = new KvHasher(routerModule, { blockSize: BLOCK_SIZE, key: KEY });
const small = { blockSize: BLOCK_SIZE, maxBlocks: 4096, maxWorkers: 2, maxBookings: 16 };
const routerWith = (hashKey?: Uint8Array) => newRouter({ ...small, hashKey });

describe("SipHash-2-4", () => {
  // From the reference implementation: the message of n bytes is 00 01 02 …, and so is the key.
  test.each([
    [0, 0x726fdb47dd0e0e31n],
    [8, 0x93f5f5799a932462n],
    [15, 0xa129ca6149be45e5n],
    [16, 0x3f2acc7f57c29bdbn],
  ])("of %i bytes in the reference is as published", (length, hash) => {
    expect(referenceSipHash(KEY, KEY.subarray(0, length))).toBe(hash);
  });

  test("of block hashes is as published", () => {
    expect(hasher.masked(BigUint64Array.of(0x0706050403020100n))).toEqual(
      BigUint64Array.of(0x93f5f5799a932462n),
    );
  });

  test("chains the hashes of a prompt's blocks", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(20), (key, blocks) => {
        const tokens = tokensOf(key[0]!, blocks, BLOCK_SIZE);
        const { blockHashes } = routerWith().hashBlocks(tokens, { blockSize: BLOCK_SIZE });
        let before = 0n;
        const expected = blockHashes.map((hash) => {
          before = referenceSipHash(key, new Uint8Array(BigUint64Array.of(before, hash).buffer));
          return before;
        });
        const keyed = new KvHasher(routerModule, { blockSize: BLOCK_SIZE, key });
        expect(keyed.localHashes(tokens, undefined)).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  test("needs a key of 16 bytes", () => {
    expect(() => routerWith(KEY.subarray(1))).toThrow(RouterError);
  });
});

const media = fc.option(
  fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { minLength: 1, maxLength: 3 }),
);

/** Events that continue earlier ones: which block they follow, and what they add. */
const events = fc.array(
  fc.record({
    after: fc.nat(30),
    content: fc.nat(3),
    blocks: fc.integer({ min: 1, max: 6 }),
    media: fc.array(media, { maxLength: 6 }),
    tenant: fc.constantFrom("", "a"),
  }),
  { maxLength: 12 },
);

test("private events make the same index as events with token ids", () => {
  fc.assert(
    fc.property(events, (given) => {
      const plain = routerWith();
      const keyed = routerWith(KEY);
      const mixed = routerWith(KEY);
      const routers = [plain, keyed, mixed];
      for (const router of routers) router.addWorker();
      const chains: { hash: bigint; local: bigint; tokens: number[]; media: MediaHashes; tenant: string }[] =
        [];
      let next = 1;
      for (const { after, content, blocks, media, tenant: namespace } of given) {
        const parent = after < chains.length ? chains[after] : undefined;
        const tenant = parent?.tenant ?? namespace;
        const tokens = tokensOf(content, blocks, BLOCK_SIZE);
        const hashes = hashesFrom(next, blocks);
        next += blocks;
        const mmHashes = Array.from({ length: blocks }, (_, i) => media[i] && BigUint64Array.from(media[i]));
        // Engines tell the tenant with the first block only.
        const salt = { namespace: parent === undefined ? tenant : "" };
        const locals = hasher.localHashes(tokens, parent?.local, { salt, mmHashes });
        const stored = [
          plain.applyStored(0, hashes, parent?.hash, tokens, { salt, mmHashes }),
          keyed.applyHashed(
            0,
            hasher.masked(hashes),
            parent && hasher.masked(BigUint64Array.of(parent.hash))[0],
            locals,
          ),
          mixed.applyStored(0, hashes, parent?.hash, tokens, { salt, mmHashes }),
        ];
        expect(new Set(stored).size).toBe(1);
        for (const [i, hash] of hashes.entries())
          chains.push({
            hash,
            local: locals[i]!,
            tokens: [...(parent?.tokens ?? []), ...tokens.subarray(0, (i + 1) * BLOCK_SIZE)],
            media: [...(parent?.media ?? []), ...mmHashes.slice(0, i + 1)],
            tenant,
          });
      }
      for (const { tokens, media: mmHashes, tenant } of chains) {
        const overlaps = routers.map((router) => {
          router.writePrompt(Uint32Array.from(tokens));
          const salt = { namespace: tenant };
          return router.find(router.hashPrompt(tokens.length, { salt, mmHashes }).length);
        });
        expect(overlaps).toEqual(Array(3).fill(tokens.length / BLOCK_SIZE));
      }
      if (given.length > 0) {
        const removed = hashesFrom(1, given[0]!.blocks);
        expect(keyed.applyRemoved(0, hasher.masked(removed))).toBe(plain.applyRemoved(0, removed));
      }
      expect(keyed.stats().blocks).toBe(plain.stats().blocks);
    }),
  );
});

test("long prompts and events are hashed in pieces as whole", () => {
  const tokens = tokensOf(1, 3000, BLOCK_SIZE);
  const router = routerWith(KEY);
  router.addWorker();
  expect(router.applyStored(0, hashesFrom(1, 3000), undefined, tokens)).toBe(3000);
  router.writePrompt(tokens);
  expect(router.hashPrompt(tokens.length)).toEqual(hasher.localHashes(tokens, undefined));
  expect(router.find(3000)).toBe(3000);
});

test("equal blocks look alike only in equal prefixes, and with the same key", () => {
  const block = tokensOf(1, 1, BLOCK_SIZE);
  const twice = hasher.localHashes(Uint32Array.of(...block, ...block), undefined);
  expect(twice[1]).not.toBe(twice[0]);
  const other = new KvHasher(routerModule, { blockSize: BLOCK_SIZE, key: OTHER_KEY });
  expect(other.localHashes(block, undefined)[0]).not.toBe(twice[0]);
});
