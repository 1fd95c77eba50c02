import { readFileSync } from "node:fs";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeKvEvents, encodeKvEvents, KvEventError } from "./codec.ts";
import type { KvEvent } from "./types.ts";

/** A message captured from vLLM 0.32; integers beyond a double's precision are strings. */
interface Captured {
  payload: Uint8Array;
  decoded: [number, Record<string, unknown>[], number];
}

function captured(file: string): Captured[] {
  const lines = readFileSync(new URL(file, import.meta.url), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => {
    const { payload_hex, decoded } = JSON.parse(line.replace(/(?<=[[ ])\d{16,}(?=[,\]])/g, '"$&"'));
    return { payload: Uint8Array.from(Buffer.from(payload_hex, "hex")), decoded };
  });
}

const hash = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const tier = fc.constantFrom<{ tier?: "host" | "disk" }>({}, { tier: "host" }, { tier: "disk" });
/** Salt and LoRA name are distinguished even if they are equal. */
const extras = fc.record(
  { loraName: fc.constantFrom("a", "b"), cacheSalt: fc.constantFrom("a", "c") },
  { requiredKeys: [] },
);
/** The first group is omitted. */
const group = fc.constantFrom<{ group?: number }>({}, {}, { group: 1 }, { group: 7 });
const windowed = fc.constantFrom<{ isWindowed?: true }>({}, { isWindowed: true });
const stored = fc
  .record({
    hashes: fc.array(hash, { maxLength: 5 }),
    parent: fc.option(hash),
    blockSize: fc.integer({ min: 1, max: 8 }),
  })
  .chain(({ hashes, parent, blockSize }) => {
    const length = hashes.length * blockSize;
    const id = fc.integer({ min: 0, max: 0xffffffff });
    const ids = fc.array(id, { minLength: length, maxLength: length });
    const media = fc.array(
      fc.option(fc.array(fc.string(), { minLength: 1, maxLength: 2 }), { nil: undefined }),
      {
        minLength: hashes.length,
        maxLength: hashes.length,
      },
    );
    return fc.tuple(ids, media, extras, tier, group, windowed).map(
      ([ids, mediaIds, { loraName, cacheSalt }, tier, group, windowed]): KvEvent => ({
        type: "stored",
        blockHashes: BigUint64Array.from(hashes),
        parentHash: parent ?? undefined,
        tokenIds: Uint32Array.from(ids),
        blockSize,
        ...(mediaIds.some((ids) => ids !== undefined) && { mediaIds }),
        ...(loraName !== undefined && { loraName }),
        // It is part of the first block.
        ...(cacheSalt !== undefined && hashes.length > 0 && { cacheSalt }),
        ...tier,
        ...group,
        ...windowed,
      }),
    );
  });
const removed = fc.tuple(fc.array(hash), tier, group).map(
  ([hashes, tier, group]): KvEvent => ({
    type: "removed",
    blockHashes: BigUint64Array.from(hashes),
    ...tier,
    ...group,
  }),
);
const event = fc.oneof(stored, removed, fc.constant<KvEvent>({ type: "cleared" }));

const plain = {
  type: "BlockStored",
  block_hashes: [1],
  parent_block_hash: null,
  token_ids: [1, 2],
  block_size: 2,
};

describe("KV event batches", () => {
  test("survive a round trip", () => {
    const batch = fc.record({
      timestamp: fc.double({ min: 0, max: 4e9, noNaN: true }),
      events: fc.array(event, { maxLength: 5 }),
      dataParallelRank: fc.nat(7),
    });
    fc.assert(
      fc.property(batch, (wanted) => {
        expect(decodeKvEvents(encodeKvEvents(wanted))).toEqual({ ...wanted, unreadable: [] });
      }),
    );
  });

  test.each(["fixture-vllm.jsonl", "fixture-vllm-multimodal.jsonl"])(
    "of a real vLLM are read: %s",
    (file) => {
      for (const { payload, decoded } of captured(file)) {
        const batch = decodeKvEvents(payload);
        expect(batch.timestamp).toBe(decoded[0]);
        expect(batch.dataParallelRank).toBe(decoded[2]);
        expect(batch.events).toHaveLength(decoded[1].length);
        for (const [index, event] of batch.events.entries()) {
          const wire = decoded[1][index] as Record<string, unknown>;
          if (event.type !== "stored") throw new Error(`unexpected ${event.type}`);
          expect([...event.blockHashes].map(String)).toEqual(wire.block_hashes);
          expect(event.parentHash?.toString() ?? null).toBe(wire.parent_block_hash);
          expect([...event.tokenIds]).toEqual(wire.token_ids);
          expect(event.blockSize).toBe(wire.block_size);
        }
      }
    },
  );

  test("of a real vLLM contain the media of each block, and are re-encoded unchanged", () => {
    for (const { payload, decoded } of captured("fixture-vllm-multimodal.jsonl")) {
      const batch = decodeKvEvents(payload);
      for (const [index, event] of batch.events.entries()) {
        if (event.type !== "stored") throw new Error(`unexpected ${event.type}`);
        const wire = decoded[1][index] as { extra_keys: [string, number][][] };
        expect(event.mediaIds).toEqual(wire.extra_keys.map((keys) => keys.map(([identifier]) => identifier)));
        expect(event.mediaIds?.flat()[0]).toMatch(/^[0-9a-f]{64}$/);
        expect(event).not.toHaveProperty("cacheSalt");
      }
      expect(decodeKvEvents(encodeKvEvents(batch))).toEqual(batch);
    }
  });

  test("distinguish LoRA names, salts and media in the extra keys, in both forms", () => {
    const keys = [["adapter", ["image", -3], ["image 2", 5], Uint8Array.of(1), "salt"], ["adapter"], null];
    const map = {
      type: "BlockStored",
      block_hashes: [1, 2, 3],
      parent_block_hash: null,
      token_ids: [10, 11, 12],
      block_size: 1,
      lora_id: 4,
      medium: "CPU",
      lora_name: "adapter",
      extra_keys: keys,
    };
    const array = ["BlockStored", [1, 2, 3], null, [10, 11, 12], 1, 4, "CPU", "adapter", keys];
    for (const wire of [map, array]) {
      expect(decodeKvEvents(encode([0, [wire], 0])).events).toEqual([
        {
          type: "stored",
          blockHashes: BigUint64Array.of(1n, 2n, 3n),
          parentHash: undefined,
          tokenIds: Uint32Array.of(10, 11, 12),
          blockSize: 1,
          tier: "host",
          loraName: "adapter",
          mediaIds: [["image", "image 2"], undefined, undefined],
          cacheSalt: "salt",
        },
      ]);
    }
  });

  describe("of SGLang, which repeats the salt in every event of a sequence", () => {
    const wire = (parent: number | null): unknown[] => [[7], parent, [1, 2], 2, null, "GPU"];
    const named = (parent: number | null, more: object) => ({
      ...{ type: "BlockStored", block_hashes: [7], parent_block_hash: parent, token_ids: [1, 2] },
      ...{ block_size: 2, medium: "GPU", ...more },
    });
    const metadata = { cache_salt: "tenant" };
    const forms: [string, (parent: number | null) => unknown][] = [
      ["as an array's last element", (parent) => ["BlockStored", ...wire(parent), metadata]],
      [
        "in vLLM's place too",
        (parent) => ["BlockStored", ...wire(parent), null, [["tenant"]], null, null, null, metadata],
      ],
      ["in its metadata", (parent) => named(parent, { metadata })],
      ["by name", (parent) => named(parent, metadata)],
    ];

    test.each(forms)("%s, have it at a sequence's start only", (_, form) => {
      const { events } = decodeKvEvents(encode([0, [form(null), form(5)], 0]));
      expect(events[0]).toMatchObject({ type: "stored", cacheSalt: "tenant", parentHash: undefined });
      expect(events[1]).toMatchObject({ type: "stored", parentHash: 5n });
      expect(events[1]).not.toHaveProperty("cacheSalt");
      expect(events[1]).not.toHaveProperty("loraName");
    });
  });

  test.each([
    [null, undefined],
    ["GPU", undefined],
    ["CPU", "host"],
    ["CPU_PINNED", "host"],
    ["STORAGE", "disk"],
    ["disk", "disk"],
  ])("about the medium %s are about the tier %s", (medium, tier) => {
    const wire = [0, [{ type: "BlockRemoved", block_hashes: [5], medium }, ["BlockRemoved", [5], medium]]];
    const [map, array] = decodeKvEvents(encode(wire)).events;
    expect(map).toEqual({ type: "removed", blockHashes: BigUint64Array.of(5n), tier });
    expect(array).toEqual(map);
  });

  test.each([
    ["full_attention", undefined],
    ["mla_attention", undefined],
    [null, undefined],
    ["something_new", undefined],
    ["sliding_window", true],
    ["sliding_window_mla", true],
    ["chunked_local_attention", true],
    ["mamba", true],
  ])(
    "of a cache of the kind %s report its group and whether it is windowed, in both forms",
    (kind, isWindowed) => {
      const map = { ...plain, group_idx: 3, kv_cache_spec_kind: kind };
      const array = ["BlockStored", [1], null, [1, 2], 2, null, "GPU", null, null, 3, kind];
      const removed = ["BlockRemoved", [1], "GPU", 3];
      for (const wire of [map, array]) {
        const events = decodeKvEvents(encode([0, [wire, removed]])).events;
        expect(events).toMatchObject([
          { type: "stored", group: 3 },
          { type: "removed", group: 3 },
        ]);
        expect(Reflect.get(events[0]!, "isWindowed")).toBe(isWindowed);
      }
    },
  );

  test("in the older array form are decoded", () => {
    const wire = [
      1.5,
      [
        ["BlockStored", [1, 2n ** 63n], 7, [10, 11, 12, 13], 2, null, "GPU"],
        ["BlockRemoved", [5]],
        ["AllBlocksCleared"],
      ],
    ];
    expect(decodeKvEvents(encode(wire, { useBigInt64: true }))).toEqual({
      timestamp: 1.5,
      dataParallelRank: 0,
      unreadable: [],
      events: [
        {
          type: "stored",
          blockHashes: BigUint64Array.of(1n, 2n ** 63n),
          parentHash: 7n,
          tokenIds: Uint32Array.of(10, 11, 12, 13),
          blockSize: 2,
        },
        { type: "removed", blockHashes: BigUint64Array.of(5n) },
        { type: "cleared" },
      ],
    });
  });

  test("with hashes as byte strings use the last 8 bytes, big-endian", () => {
    const long = Uint8Array.from({ length: 32 }, (_, byte) => byte);
    const wire = [0, [{ type: "BlockRemoved", block_hashes: [long, Uint8Array.of(1, 2), -1] }], null];
    const [event] = decodeKvEvents(encode(wire)).events;
    const blockHashes = BigUint64Array.of(0x18191a1b1c1d1e1fn, 0x0102n, 2n ** 64n - 1n);
    expect(event).toEqual({ type: "removed", blockHashes });
  });

  test("skip unknown events and media", () => {
    const wire = [
      0,
      [
        { type: "BlockPinned" },
        ["toString"],
        { type: "BlockRemoved", block_hashes: [1], medium: "TAPE" },
        { type: "AllBlocksCleared", more: 1 },
      ],
      0,
      "more",
    ];
    expect(decodeKvEvents(encode(wire)).events).toEqual([{ type: "cleared" }]);
  });

  test("that are not a batch throw a KvEventError", () => {
    const wrong = [null, {}, [], [0], ["now", []], [0, [], "rank"]];
    for (const value of wrong) expect(() => decodeKvEvents(encode(value))).toThrow(KvEventError);
    expect(() => decodeKvEvents(new Uint8Array(0))).toThrow(KvEventError);
  });

  test("are decoded independently of an unreadable event", () => {
    const odd = [
      null,
      {},
      [7],
      { type: "BlockRemoved" },
      ["BlockRemoved", [1.5]],
      { ...plain, token_ids: [1] },
      { ...plain, token_ids: [1, -2] },
      { ...plain, token_ids: [1, 2.5] },
      { ...plain, block_size: null },
      { ...plain, parent_block_hash: "x" },
      { ...plain, group_idx: "x" },
      { ...plain, lora_id: 3, lora_name: null },
      { ...plain, token_ids: Array(64).fill(1), block_size: 16, group_idx: 2, kv_cache_spec_kind: "mamba" },
      ["BlockStored", [1], null, Array(64).fill(1), 16, null, "GPU", null, null, 1, "mamba"],
    ];
    const good = [plain, { type: "AllBlocksCleared" }];
    const { events, unreadable } = decodeKvEvents(encode([0, [good[0], ...odd, good[1]]]));
    expect(events.map(({ type }) => type)).toEqual(["stored", "cleared"]);
    expect(unreadable.map(({ mayBeRemoval }) => mayBeRemoval)).toEqual(
      odd.map((_, index) => index === 3 || index === 4),
    );
    expect(unreadable.map(({ group, isWindowed }) => [group, isWindowed]).slice(-3)).toEqual([
      [0, false],
      [2, true],
      [1, true],
    ]);
    expect(unreadable.at(-3)?.what).toBe(
      "a LoRA adapter is given only by its number (lora_id 3, no lora_name)",
    );
    expect(unreadable.at(-1)?.what).toBe("64 token ids for 1 blocks of 16");
  });

  test("of arbitrary bytes, or real ones with one byte changed, never throw anything else", () => {
    const [real] = captured("fixture-vllm.jsonl");
    const changed = fc.tuple(fc.nat(real?.payload.length ?? 0), fc.nat(255)).map(([at, byte]) => {
      const payload = real?.payload.slice() ?? new Uint8Array(0);
      payload[at] = byte;
      return payload;
    });
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 30 })), (payload) => {
        try {
          decodeKvEvents(payload);
        } catch (error) {
          expect(error).toBeInstanceOf(KvEventError);
        }
      }),
    );
  });
});
