import { describe, expect, test } from "vitest";
import { decodeKvEvents, type KvEvent } from "#runtime";
import { PolledEvents } from "./tensorrt-llm-events.ts";

let nextId = 0;

function event(data: object, more: object = {}): object {
  return { event_id: nextId++, data, window_size: 4096, ...more };
}

function block(block_hash: number | string, length: number, more: object = {}): object {
  const tokens = Array.from({ length }, (_, token_id) => ({ type: "unique_token", token_id }));
  return { type: "stored_block", block_hash, tokens, cache_level: 0, priority: 35, ...more };
}

const created = () => event({ type: "created", num_blocks_per_cache_level: [100, 0] });
const stored = (parent_hash: number | string | null, blocks: object[], more?: object) =>
  event({ type: "stored", parent_hash, blocks }, more);

function converter(): { convert(...events: unknown[]): KvEvent[]; unreadable: string[] } {
  nextId = 0;
  const stream = new PolledEvents();
  const unreadable: string[] = [];
  return {
    unreadable,
    convert: (...events) =>
      stream
        .convert(events, (what) => void unreadable.push(what))
        .flatMap((payload) => decodeKvEvents(payload).events),
  };
}

const tokens = (length: number) => Uint32Array.from({ length }, (_, id) => id);

describe("events of TensorRT-LLM", () => {
  test("become stored and removed events, without partial blocks", () => {
    const { convert } = converter();
    expect(convert(created(), stored(null, [block(7, 4), block("8", 4), block(9, 3)]))).toEqual([
      { type: "cleared" },
      {
        type: "stored",
        blockHashes: BigUint64Array.of(7n, 8n),
        parentHash: undefined,
        tokenIds: Uint32Array.of(...tokens(4), ...tokens(4)),
        blockSize: 4,
      },
    ]);
    expect(convert(event({ type: "removed", block_hashes: [8, "9"] }))).toEqual([
      { type: "removed", blockHashes: BigUint64Array.of(8n, 9n) },
    ]);
    expect(convert()).toEqual([]);
  });

  test("are handled separately if one cannot be read", () => {
    const { convert, unreadable } = converter();
    const kinds = (...events: unknown[]) => convert(...events).map(({ type }) => type);
    expect(
      kinds(
        created(),
        stored(null, [{ block_hash: {}, tokens: 7 }]),
        stored(null, [block(1, 4), block(2, 4)]),
      ),
    ).toEqual(["cleared", "stored"]);
    expect(unreadable).toEqual([expect.stringMatching(/^at data\.blocks\.0\./)]);
    // An unknown type is skipped.
    expect(kinds(event({ type: "pinned" }), stored(2, [block(3, 4)]))).toEqual(["stored"]);
    expect(unreadable).toHaveLength(1);
    // It may have removed any of the blocks.
    expect(kinds(event({ type: "removed" }), stored(null, [block(4, 4)]))).toEqual(["cleared", "stored"]);
    expect(kinds("what?", event({ type: "created" }))).toEqual(["cleared"]);
    expect(unreadable).toHaveLength(3);
  });

  test("wait until the size of a full block is known", () => {
    const { convert } = converter();
    expect(convert(created(), stored(null, [block(1, 3)]))).toEqual([]);
    expect(convert(stored(null, [block(2, 4)]))).toEqual([]);
    const events = convert(stored(2, [block(3, 2)]));
    expect(events.at(-1)).toMatchObject({ type: "stored", blockHashes: BigUint64Array.of(2n), blockSize: 4 });
    expect(events.filter(({ type }) => type === "stored")).toHaveLength(1);
  });

  test("that move a block to host memory keep it there", () => {
    const { convert } = converter();
    convert(stored(null, [block(1, 4), block(2, 4)]));
    const move = { type: "event_diff", old_value: 0, new_value: 1 };
    expect(convert(event({ type: "updated", block_hash: 1, cache_level: move }))).toEqual([
      {
        type: "stored",
        blockHashes: BigUint64Array.of(1n),
        parentHash: undefined,
        tokenIds: new Uint32Array(0),
        blockSize: 0,
        tier: "host",
      },
      { type: "removed", blockHashes: BigUint64Array.of(1n) },
    ]);
    expect(convert(event({ type: "removed", block_hashes: [1] }))).toEqual([
      { type: "removed", blockHashes: BigUint64Array.of(1n) },
      { type: "removed", blockHashes: BigUint64Array.of(1n), tier: "host" },
    ]);
    expect(convert(event({ type: "updated", block_hash: 1, priority: {} }))).toEqual([]);
  });

  test("that are missing clear the cache", () => {
    const { convert } = converter();
    convert(stored(null, [block(1, 4), block(2, 4)]));
    nextId++;
    expect(convert(stored(2, [block(3, 4)])).map(({ type }) => type)).toEqual(["cleared", "stored"]);
    nextId = 0;
    expect(convert(stored(null, [block(1, 4)])).map(({ type }) => type)).toEqual(["cleared", "stored"]);
  });

  test("of layers with a smaller window are ignored", () => {
    const { convert } = converter();
    convert(stored(null, [block(1, 4), block(2, 4)]));
    expect(convert(stored(null, [block(1, 4)], { window_size: 128 }))).toEqual([]);
    expect(convert(event({ type: "removed", block_hashes: [1] }, { window_size: 128 }))).toEqual([]);
  });

  test("of attention ranks form separate batches with separate ids", () => {
    nextId = 0;
    const stream = new PolledEvents();
    const events = [
      stored(null, [block(1, 4), block(2, 4)], { event_id: 5, attention_dp_rank: 1 }),
      stored(null, [block(1, 4)], { event_id: 9, attention_dp_rank: 0 }),
      stored(2, [block(3, 4)], { event_id: 6, attention_dp_rank: 1 }),
    ];
    const batches = stream.convert(events, () => {}).map((payload) => decodeKvEvents(payload));
    expect(batches.map(({ dataParallelRank }) => dataParallelRank)).toEqual([1, 0, 1]);
    expect(batches[2]!.events.map(({ type }) => type)).toEqual(["stored"]);
  });

  test("include the media of each block, and the last 64 bits of long hashes", () => {
    const { convert } = converter();
    const mm_keys = [{ type: "mm_key", hash: "ab", start_offset: 0 }];
    const hash = `${"0".repeat(48)}00000000000000ff`;
    const events = convert(stored(null, [block(hash, 4, { mm_keys }), block(2, 4)]));
    expect(events.at(-1)).toMatchObject({
      blockHashes: BigUint64Array.of(255n, 2n),
      mediaIds: [["ab"], undefined],
    });
  });
});
