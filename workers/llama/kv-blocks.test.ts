import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KvEvent } from "#runtime";
import { KvBlocks } from "./kv-blocks.ts";

const BLOCK_SIZE = 4;

/** A router's view from the events: block hash → the tokens from the sequence's start to the block's end. */
class Follower {
  readonly prefixes = new Map<bigint, string>();

  apply(events: readonly KvEvent[]): void {
    for (const event of events) {
      if (event.type === "stored") this.#store(event);
      else if (event.type === "removed") for (const hash of event.blockHashes) this.#remove(hash);
    }
  }

  #store(event: Extract<KvEvent, { type: "stored" }>): void {
    expect(event.tokenIds.length).toBe(event.blockHashes.length * event.blockSize);
    let prefix = "";
    if (event.parentHash !== undefined) {
      expect(this.prefixes.has(event.parentHash)).toBe(true);
      prefix = this.prefixes.get(event.parentHash)!;
    }
    event.blockHashes.forEach((hash, index) => {
      prefix += `${event.tokenIds.slice(index * event.blockSize, (index + 1) * event.blockSize).join(",")};`;
      expect(this.prefixes.has(hash)).toBe(false);
      this.prefixes.set(hash, prefix);
    });
  }

  #remove(hash: bigint): void {
    expect(this.prefixes.delete(hash)).toBe(true);
  }
}

/** All whole blocks of all sequences, as prefixes. */
function heldPrefixes(sequences: ReadonlyMap<number, readonly number[]>): Set<string> {
  const held = new Set<string>();
  for (const tokens of sequences.values()) {
    let prefix = "";
    for (let end = BLOCK_SIZE; end <= tokens.length; end += BLOCK_SIZE) {
      prefix += `${tokens.slice(end - BLOCK_SIZE, end).join(",")};`;
      held.add(prefix);
    }
  }
  return held;
}

const tokens = fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 30 });
const step = fc.oneof(
  fc.record({ kind: fc.constant("update" as const), sequence: fc.integer({ min: 0, max: 3 }), tokens }),
  fc.record({ kind: fc.constant("grow" as const), sequence: fc.integer({ min: 0, max: 3 }), tokens }),
  fc.record({ kind: fc.constant("cut" as const), sequence: fc.integer({ min: 0, max: 3 }), tokens }),
);

describe("KV blocks", () => {
  test("events always match the sequences exactly", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const follower = new Follower();
        const blocks = new KvBlocks(BLOCK_SIZE, (events) => follower.apply(events));
        const sequences = new Map<number, number[]>();
        for (const { kind, sequence, tokens } of steps) {
          const before = sequences.get(sequence) ?? [];
          const after =
            kind === "update"
              ? tokens
              : kind === "grow"
                ? [...before, ...tokens]
                : before.slice(0, tokens.length);
          sequences.set(sequence, after);
          if (kind === "grow") blocks.grow(sequence, after, after.length);
          else blocks.update(sequence, after);
          const held = heldPrefixes(sequences);
          expect(new Set(follower.prefixes.values())).toEqual(held);
          expect(blocks.size).toBe(held.size);
        }
        const late = new Follower();
        late.apply(blocks.snapshot());
        expect(late.prefixes).toEqual(follower.prefixes);
      }),
    );
  });

  test("a chain of new blocks is one event, without partial blocks", () => {
    const seen: KvEvent[][] = [];
    const blocks = new KvBlocks(BLOCK_SIZE, (events) => seen.push(events));
    blocks.update(0, [1, 2, 3]);
    expect(seen).toEqual([]);
    blocks.update(0, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(seen).toHaveLength(1);
    expect(seen[0]![0]).toMatchObject({ type: "stored", parentHash: undefined, blockSize: BLOCK_SIZE });
    blocks.grow(0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 12);
    const [stored] = seen[1]!;
    const first = seen[0]![0]!;
    if (stored?.type !== "stored" || first.type !== "stored") throw new Error("expected stored events");
    expect(stored.parentHash).toBe(first.blockHashes[1]);
  });
});
