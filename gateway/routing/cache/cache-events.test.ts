import { encode } from "@msgpack/msgpack";
import { describe, expect, it } from "vitest";
import type { Salt } from "#router-wasm";
import type { KvEvent, KvStoredEvent } from "#runtime";
import { applyEvent, BLOCK_SIZE, nameOf, request, routed, testModel } from "../test-model.ts";

/** Blocks of a prompt of one token, stored from the start. */
function stored(token: number, blocks: number, more: Partial<KvStoredEvent> = {}): KvStoredEvent {
  return {
    type: "stored",
    blockHashes: BigUint64Array.from({ length: blocks }, (_, i) => BigInt(token * 1000 + i)),
    parentHash: undefined,
    tokenIds: new Uint32Array(blocks * BLOCK_SIZE).fill(token),
    blockSize: BLOCK_SIZE,
    ...more,
  };
}

/** How many blocks of a prompt of one token the router believes the worker to have. */
function overlapOf(
  model: ReturnType<typeof testModel>,
  worker: string,
  token: number,
  blocks: number,
  salt?: Salt,
): number {
  const route = routed(model.router, { ...request(blocks * BLOCK_SIZE, { worker }, token), salt });
  route.free("finished");
  return route.overlapBlocks;
}

describe("a worker's cache", () => {
  it("is predicted from its requests until its events arrive", () => {
    const { router, add } = testModel();
    for (const name of ["one", "two", "three"]) add(name);
    const first = routed(router, request(160, {}, 7));
    first.free("finished");
    const again = routed(router, request(160, {}, 7));
    expect(nameOf(again)).toBe(nameOf(first));
    expect(again.overlapBlocks).toBe(10);
  });

  it("is not predicted if predictions are off", () => {
    const model = testModel({ predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 120 } });
    model.add("one");
    expect(overlapOf(model, "one", 7, 10)).toBe(0);
    expect(overlapOf(model, "one", 7, 10)).toBe(0);
  });

  it("is predicted within its size if it sends no events, and is not reported as drift", () => {
    const model = testModel({ predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 120 } });
    const worker = model.add("one", { totalBlocks: 40 });
    model.router.predictOnly(worker);
    model.router.predictOnly(worker);
    expect(model.lines.filter((line) => line.includes("sends no KV events"))).toHaveLength(1);
    expect(overlapOf(model, "one", 1, 32)).toBe(0);
    expect(overlapOf(model, "one", 1, 32)).toBe(32);
    expect(overlapOf(model, "one", 2, 32)).toBe(0);
    expect(overlapOf(model, "one", 1, 32)).toBe(0);
    for (let i = 0; i < 40; i++) {
      const route = routed(model.router, request(320, { worker: "one" }, 100 + i));
      route.report(320);
      route.free("finished");
    }
    expect(model.lines.join()).not.toContain("does not match the router's predictions");
  });

  it("includes blocks in host memory and on disk, at a lower credit", () => {
    const { router, add } = testModel();
    const [host, disk] = [add("host"), add("disk"), add("none")];
    applyEvent(router, host, stored(1, 8, { tier: "host" }));
    applyEvent(router, disk, stored(1, 8, { tier: "disk" }));
    const asks = (excluded: (typeof host)[]) => {
      const route = routed(router, { ...request(8 * BLOCK_SIZE, {}, 1), excluded });
      route.free("finished");
      return nameOf(route);
    };
    expect(asks([])).toBe("host");
    applyEvent(router, host, { type: "removed", blockHashes: stored(1, 8).blockHashes, tier: "host" });
    router.clearWorker(host);
    expect(asks([])).toBe("disk");
  });

  it("follows blocks that an engine moves between tiers, identified only by hash", () => {
    const model = testModel({ predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 0 } });
    const worker = model.add("one");
    applyEvent(model.router, worker, stored(1, 8));
    const { blockHashes } = stored(1, 8);
    applyEvent(
      model.router,
      worker,
      stored(1, 8, { tier: "host", tokenIds: new Uint32Array(), blockSize: 0 }),
    );
    applyEvent(model.router, worker, { type: "removed", blockHashes });
    expect(overlapOf(model, "one", 1, 8)).toBe(0);
    expect(model.router.stats()).toMatchObject({ storedBlocks: 0, hostBlocks: 8, ignoredEvents: 0 });
  });

  it("does not match prompts without its LoRA adapter, salt or media", () => {
    const model = testModel({ predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 0 } });
    const worker = model.add("one");
    applyEvent(model.router, worker, stored(1, 4, { loraName: "adapter" }));
    applyEvent(model.router, worker, stored(2, 4, { cacheSalt: "tenant" }));
    applyEvent(
      model.router,
      worker,
      stored(3, 4, { mediaIds: [undefined, ["image"], undefined, undefined] }),
    );
    expect([1, 2, 3].map((token) => overlapOf(model, "one", token, 4))).toEqual([0, 0, 1]);
    expect(model.router.stats().storedBlocks).toBe(12);
  });

  it("is a tenant's from the block that has the salt, although later events do not repeat it", () => {
    const model = testModel({ predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 0 } });
    const worker = model.add("one");
    const blocks = stored(1, 6);
    const part = (from: number, to: number, more: Partial<KvStoredEvent> = {}): KvEvent => ({
      ...stored(1, to - from, more),
      blockHashes: blocks.blockHashes.slice(from, to),
      parentHash: blocks.blockHashes[from - 1],
    });
    applyEvent(model.router, worker, part(0, 2));
    applyEvent(model.router, worker, part(2, 4, { cacheSalt: "tenant" }));
    applyEvent(model.router, worker, part(4, 6));
    const overlap = (salt?: Salt) => overlapOf(model, "one", 1, 6, salt);
    expect(overlap({ namespace: "tenant", sharedBlocks: 2 })).toBe(6);
    expect(overlap({ namespace: "other", sharedBlocks: 2 })).toBe(2);
    expect(overlap({ namespace: "tenant" })).toBe(0);
    expect(overlap()).toBe(2);
  });

  describe("of an engine with several cache groups", () => {
    const windowed = { isWindowed: true } as const;
    const open = () => {
      const model = testModel({ predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 0 } });
      const worker = model.add("one");
      const apply = (...events: KvEvent[]) => {
        for (const event of events) applyEvent(model.router, worker, event);
      };
      return { apply, overlap: (token: number) => overlapOf(model, "one", token, 4), model };
    };
    const removed = (token: number, group?: number): KvEvent => ({
      type: "removed",
      blockHashes: stored(token, 4).blockHashes,
      ...(group !== undefined && { group }),
    });

    it("follows the first group, and ignores removals from others", () => {
      const { apply, overlap, model } = open();
      apply(stored(1, 4), stored(1, 4, { group: 1, ...windowed }), removed(1, 1));
      expect(overlap(1)).toBe(4);
      apply(stored(2, 2, { group: 1, blockSize: 8, tokenIds: new Uint32Array(16), ...windowed }));
      expect(model.lines.join()).not.toContain("block");
      apply(removed(1));
      expect(overlap(1)).toBe(0);
    });

    it("follows the group of the full-attention layers, even if it is not the first", () => {
      const { apply, overlap } = open();
      apply(stored(1, 4, windowed));
      expect(overlap(1)).toBe(4);
      apply(stored(2, 4, windowed), stored(2, 4, { group: 2 }), stored(2, 4, { group: 1, ...windowed }));
      expect([overlap(1), overlap(2)]).toEqual([0, 4]);
      apply(removed(2), removed(2, 1));
      expect(overlap(2)).toBe(4);
      apply(removed(2, 2));
      expect(overlap(2)).toBe(0);
    });

    it("follows the first of several full-attention groups", () => {
      const { apply, overlap } = open();
      apply(stored(1, 4), stored(1, 4, { group: 1 }), removed(1, 1));
      expect(overlap(1)).toBe(4);
    });

    it("follows another full-attention group if group 0 sends nothing", () => {
      const { apply, overlap } = open();
      apply(stored(1, 4, { group: 3 }));
      expect(overlap(1)).toBe(4);
    });
  });

  describe("after an unreadable event", () => {
    const plain = {
      type: "BlockStored",
      token_ids: Array(64).fill(1),
      block_hashes: [1, 2, 3, 4],
      block_size: 16,
    };
    const unreadable = { ...plain, block_hashes: [9] };
    const open = () => {
      const model = testModel({ predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 0 } });
      const worker = model.add("one");
      const told: string[] = [];
      model.router.onUnreadable = ({ instance }, what) => told.push(`${instance.name}: ${what}`);
      const apply = (...events: unknown[]) => model.router.applyPayload(worker, encode([0, events, 0]));
      return { apply, told, model, overlap: () => overlapOf(model, "one", 1, 4) };
    };

    it("reflects the rest of the batch, and the unreadable event is reported and counted", async () => {
      const { apply, told, model, overlap } = open();
      apply(unreadable, plain);
      expect(overlap()).toBe(4);
      expect(told).toEqual(["one: 64 token ids for 1 blocks of 16"]);
      expect(await model.scrape()).toContain(
        'stator_router_unreadable_kv_events_total{model="test",worker="one",rank="0"} 1',
      );
    });

    it("is cleared if the event may have been a removal", () => {
      const { apply, overlap } = open();
      apply(plain);
      apply({ type: "BlockRemoved", block_hashes: "?" });
      expect(overlap()).toBe(0);
    });

    it("is unchanged if the event is from a group that is not followed", () => {
      const { apply, told, overlap } = open();
      apply(plain);
      apply(
        { ...unreadable, group_idx: 1, kv_cache_spec_kind: "mamba" },
        { type: "BlockRemoved", group_idx: 2 },
      );
      expect(overlap()).toBe(4);
      expect(told).toEqual([]);
    });

    it("follows the attention layers of a hybrid model whose first groups are recurrent", () => {
      const { apply, told, overlap } = open();
      const mamba = { ...unreadable, kv_cache_spec_kind: "mamba" };
      apply({ ...mamba, group_idx: 0 });
      apply({ ...mamba, group_idx: 1 });
      apply({ ...plain, group_idx: 2, kv_cache_spec_kind: "mla_attention" });
      expect(overlap()).toBe(4);
      expect(told).toEqual([]);
    });

    it("is reported if the event is from a rank that the worker does not have", () => {
      const model = testModel();
      const worker = model.add("one", { dataParallelSize: 2 });
      const told: string[] = [];
      model.router.onUnreadable = (_worker, what) => told.push(what);
      model.router.applyPayload(worker, encode([0, [plain], 1]));
      expect(told).toEqual([]);
      model.router.applyPayload(worker, encode([0, [plain], 5]));
      expect(told).toEqual(["they are from data-parallel rank 5, but it has 2 ranks"]);
    });

    it("does not attribute an adapter known only by number to the base model", () => {
      const { apply, told, overlap } = open();
      apply({ ...plain, lora_id: 1 });
      expect(overlap()).toBe(0);
      expect(told).toHaveLength(1);
    });
  });
});
