import { readFileSync } from "node:fs";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileRouter, createRouter, type Router } from "#router-wasm";
import { decodeKvEvents, encodeKvEvents, type KvEvent, KvEventError } from "#runtime";

// Compares the core's parser of event batches with the decoder: the core must read a batch exactly like the decoder,
// and refuse any batch that the decoder refuses.

const module = await compileRouter(
  readFileSync(new URL("../../../router-wasm/router.wasm", import.meta.url)),
);

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i * 7);

function newRouter(blockSize: number, hashKey?: Uint8Array): Router {
  const router = createRouter(module, { blockSize, maxWorkers: 2, maxBlocks: 10_000, hashKey });
  router.addWorker();
  return router;
}

/** All observable state, and the overlaps of prompts of one symbol. */
function state(router: Router) {
  const { memoryBytes: _, ...stats } = router.stats();
  const overlaps = Array.from({ length: 4 }, (_, symbol) => {
    const prompt = new Uint32Array(router.blockSize * 12).fill(symbol);
    router.tokenBuffer(prompt.length).set(prompt);
    router.find(router.hashPrompt(prompt.length).length);
    return [router.overlap(0), router.overlap(0, "host"), router.overlap(0, "disk")];
  });
  return { stats, overlaps };
}

function applyOneByOne(router: Router, events: readonly KvEvent[]): void {
  for (const event of events) {
    if (event.type === "cleared") router.clearWorker(0);
    else if (event.type === "removed") router.applyRemoved(0, event.blockHashes, event.tier);
    else if (event.localHashes !== undefined)
      router.applyHashed(0, event.blockHashes, event.parentHash, event.localHashes, event.tier);
    else if (event.tokenIds.length < event.blockHashes.length)
      router.applyCopied(0, event.blockHashes, event.tier ?? "device");
    else router.applyStored(0, event.blockHashes, event.parentHash, event.tokenIds, { tier: event.tier });
  }
}

/** Whether the core accepts the payload. Fails if its effect then differs from that of the decoded events. */
function compare(payload: Uint8Array, before: Uint8Array[], blockSize: number, key?: Uint8Array): boolean {
  const [ours, plain] = [newRouter(blockSize, key), newRouter(blockSize, key)];
  for (const each of before) applyOneByOne(ours, decodeKvEvents(each).events);
  for (const each of before) applyOneByOne(plain, decodeKvEvents(each).events);
  const batch = ours.readBatch(payload);
  if (batch === undefined) return false;
  const decoded = decodeKvEvents(payload);
  expect(decoded.unreadable).toEqual([]);
  expect(batch).toMatchObject({ events: decoded.events.length, rank: decoded.dataParallelRank });
  ours.applyBatch(0);
  applyOneByOne(plain, decoded.events);
  expect(state(ours)).toEqual(state(plain));
  return true;
}

const BLOCK_SIZE = 3;
const hash = fc.oneof(fc.bigInt({ min: 0n, max: 9n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const tier = fc.constantFrom("device", "device", "host", "disk");
const stored = fc
  .record({ hashes: fc.array(hash, { maxLength: 40 }), parent: fc.option(hash), symbol: fc.nat(3), tier })
  .map(({ hashes, parent, symbol, tier }) => ({
    type: "stored",
    blockHashes: BigUint64Array.from(hashes),
    parentHash: parent ?? undefined,
    tokenIds: new Uint32Array(hashes.length * BLOCK_SIZE).fill(symbol),
    blockSize: BLOCK_SIZE,
    ...(tier !== "device" && { tier }),
  }));
const hashed = fc
  .record({ hashes: fc.array(hash, { maxLength: 40 }), parent: fc.option(hash), tier })
  .map(({ hashes, parent, tier }) => ({
    type: "stored",
    blockHashes: BigUint64Array.from(hashes),
    parentHash: parent ?? undefined,
    tokenIds: new Uint32Array(0),
    // Equal engine hashes often have equal local hashes, as in real events.
    localHashes: BigUint64Array.from(hashes, (value) => value * 3n),
    blockSize: BLOCK_SIZE,
    ...(tier !== "device" && { tier }),
  }));
const removed = fc.record({ hashes: fc.array(hash, { maxLength: 5 }), tier }).map(({ hashes, tier }) => ({
  type: "removed",
  blockHashes: BigUint64Array.from(hashes),
  ...(tier !== "device" && { tier }),
}));
const cleared = fc.constant({ type: "cleared" });
const batchOf = (hashedWeight: number) => {
  const event = fc.oneof(
    { weight: 6, arbitrary: stored },
    { weight: hashedWeight, arbitrary: hashed },
    { weight: 2, arbitrary: removed },
    cleared,
  );
  const events = fc.array(event, { maxLength: 6 }) as fc.Arbitrary<KvEvent[]>;
  return fc
    .record({
      timestamp: fc.double({ min: 0, max: 4e9, noNaN: true }),
      events,
      dataParallelRank: fc.nat(300),
    })
    .map((payload) => encodeKvEvents(payload));
};
const batch = batchOf(0);

const RUNS = Number(process.env.FUZZ_RUNS ?? 30);

describe("a batch of KV events that the core reads", () => {
  test("has the same effect as its events one by one", () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 2 }), batch, (before, payload) => {
        expect(compare(payload, before, BLOCK_SIZE)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test("has the same effect if some of its events are private", () => {
    const batch = batchOf(6);
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 2 }), batch, (before, payload) => {
        expect(compare(payload, before, BLOCK_SIZE, KEY)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test("is left to the decoder if its private events cannot be used", () => {
    const plain = { type: "BlockStored", block_hashes: [1], token_ids: [], block_size: 3 };
    const locals = (bytes: number) => new Uint8Array(bytes);
    const others = [
      { ...plain, local_hashes: locals(7) },
      { ...plain, local_hashes: locals(16) },
      { ...plain, local_hashes: "12345678" },
      { ...plain, local_hashes: locals(8), token_ids: [1, 2, 3] },
      { ...plain, local_hashes: locals(8), block_size: 4 },
    ];
    for (const event of others) expect(newRouter(3, KEY).readBatch(encode([0, [event], 0]))).toBeUndefined();
    const usable = encode([0, [{ ...plain, local_hashes: locals(8) }], 0]);
    expect(newRouter(3).readBatch(usable)).toBeUndefined();
    expect(newRouter(3, KEY).readBatch(usable)).toBeDefined();
  });

  test("can come from a real vLLM, without media or salts", () => {
    let taken = 0;
    for (const file of ["fixture-vllm.jsonl", "fixture-vllm-multimodal.jsonl"]) {
      const text = readFileSync(new URL(`../../../runtime/kv-events/${file}`, import.meta.url), "utf8");
      for (const line of text.trim().split("\n")) {
        const { payload_hex } = JSON.parse(line.replace(/(?<=[[ ])\d{16,}(?=[,\]])/g, '"$&"'));
        const payload = Uint8Array.from(Buffer.from(payload_hex, "hex"));
        const [event] = decodeKvEvents(payload).events;
        if (event?.type === "stored" && compare(payload, [], event.blockSize)) taken++;
      }
    }
    expect(taken).toBeGreaterThan(0);
  });

  test("may have events as arrays, hashes as bytes, and unknown fields", () => {
    const long = Uint8Array.from({ length: 32 }, (_, byte) => byte);
    const wire = [
      1.5,
      [
        [
          "BlockStored",
          [1, 2n ** 63n, long],
          null,
          Array(9).fill(70_000),
          3,
          null,
          "GPU",
          null,
          [null, [], null],
        ],
        ["BlockRemoved", [long, Uint8Array.of(1)], "cpu_pinned"],
        ["BlockPinned", { deeply: [1, "x", new Uint8Array(300), null, true, -1, 1e300] }],
        {
          more: [{}],
          type: "BlockStored",
          block_hashes: [-5],
          token_ids: [0, 255, 65_535],
          block_size: 3,
          parent_block_hash: 1,
        },
        { type: "BlockStored", block_hashes: [1], token_ids: [1, 2, 3], block_size: 3, medium: "TAPE" },
        { type: "BlockStored", block_hashes: [1, 77], token_ids: [], block_size: 3, medium: "CPU" },
        ["AllBlocksCleared"],
      ],
      null,
      "more",
    ];
    expect(compare(encode(wire, { useBigInt64: true }), [], 3)).toBe(true);
    expect(compare(encode([0, wire[1], 7], { useBigInt64: true }), [], 3)).toBe(true);
    const ends = wire[1] as unknown[];
    expect(compare(encode([0, ends.slice(0, -1)], { useBigInt64: true }), [], 3)).toBe(true);
  });

  test("may name the first cache group, with full attention", () => {
    const plain = { type: "BlockStored", block_hashes: [1], token_ids: [1, 2, 3], block_size: 3 };
    const events = [
      {
        ...plain,
        lora_id: 0,
        group_idx: 0,
        kv_cache_spec_kind: "full_attention",
        kv_cache_spec_sliding_window: null,
      },
      { ...plain, block_hashes: [2], group_idx: null, kv_cache_spec_kind: "mla_attention" },
      ["BlockStored", [3], null, [1, 2, 3], 3, null, "GPU", null, null, 0, "full_attention", null],
      { type: "BlockRemoved", block_hashes: [1], group_idx: 0 },
      ["BlockRemoved", [2], "GPU", null],
    ];
    for (let last = 1; last <= events.length; last++) {
      expect(compare(encode([0, events.slice(0, last), 0]), [], 3)).toBe(true);
    }
  });

  test("is left to the decoder if it has more than tokens", () => {
    const plain = { type: "BlockStored", block_hashes: [1], token_ids: [1, 2, 3], block_size: 3 };
    const others = [
      { ...plain, lora_name: "adapter" },
      { ...plain, lora_id: 1 },
      ["BlockStored", [1], null, [1, 2, 3], 3, 1, "GPU"],
      { ...plain, extra_keys: [["salt"]] },
      { ...plain, extra_keys: [[["media", 0]]] },
      { ...plain, group_idx: 1 },
      { ...plain, kv_cache_spec_kind: "sliding_window" },
      { ...plain, group_idx: 0, kv_cache_spec_kind: "mamba" },
      ["BlockStored", [1], null, [1, 2, 3], 3, null, "GPU", null, null, 1, "full_attention"],
      ["BlockStored", [1], null, [1, 2, 3], 3, null, "GPU", null, null, 0, "sliding_window"],
      { type: "BlockRemoved", block_hashes: [1], group_idx: 2 },
      ["BlockRemoved", [1], "GPU", 2],
      { ...plain, block_size: 4, token_ids: [1, 2, 3, 4] },
      { ...plain, token_ids: [1, 2] },
      { ...plain, token_ids: [1, 2, 2 ** 32] },
      { type: "BlockRemoved" },
      {},
    ];
    for (const event of others) {
      const router = newRouter(3);
      expect(router.readBatch(encode([0, [plain, event], 0]))).toBeUndefined();
      expect(router.applyBatch(0)).toBe(0);
      expect(router.stats().blocks).toBe(0);
    }
  });

  test("made of random or corrupted bytes is refused, or read as the decoder reads it", () => {
    const change = fc.record({
      at: fc.nat(400),
      byte: fc.nat(255),
      cut: fc.option(fc.nat(400), { freq: 3 }),
    });
    const damaged = fc
      .tuple(batch, fc.array(change, { minLength: 1, maxLength: 3 }))
      .map(([payload, changes]) => {
        let bytes = payload.slice();
        for (const { at, byte, cut } of changes) {
          if (at < bytes.length) bytes[at] = byte;
          if (cut !== null) bytes = bytes.slice(0, cut);
        }
        return bytes;
      });
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 40 })), (payload) => {
        try {
          if (compare(payload, [], BLOCK_SIZE)) taken++;
        } catch (error) {
          if (error instanceof KvEventError)
            throw new Error(`The core accepted a malformed batch: ${error.message}`);
          throw error;
        }
      }),
      { numRuns: RUNS },
    );
    expect(taken).toBeGreaterThan(0);
  });
});
