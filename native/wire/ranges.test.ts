import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Range } from "../transfer.ts";
import { pairRanges, selectRanges, totalOf } from "./ranges.ts";

const range = fc.record({ offset: fc.nat(1_000), length: fc.nat(50) });
const ranges = fc.array(range, { minLength: 1, maxLength: 20 });

/** Every byte's position, in order. */
const positions = (list: readonly Range[]): number[] =>
  list.flatMap(({ offset, length }) => Array.from({ length }, (_, index) => offset + index));

describe("ranges", () => {
  it("select the same bytes as picking from the list of all positions", () => {
    fc.assert(
      fc.property(ranges, fc.array(fc.tuple(fc.nat(), fc.nat())), (base, seeds) => {
        const total = totalOf(base);
        const picks = seeds.map(([offset, length]) => {
          const start = offset % (total + 1);
          return { offset: start, length: length % (total - start + 1) };
        });
        const all = positions(base);
        const expected = picks.flatMap(({ offset, length }) => all.slice(offset, offset + length));
        expect(positions(selectRanges(base, picks))).toEqual(expected);
      }),
    );
  });

  it("pair each byte of one side with the same byte of the other", () => {
    fc.assert(
      fc.property(ranges, fc.array(fc.nat(40), { maxLength: 30 }), (local, cuts) => {
        const remote = cutLike(totalOf(local), cuts);
        const pieces = pairRanges(local, remote);
        const side = (name: "local" | "remote") =>
          positions(pieces.map((piece) => ({ offset: piece[name], length: piece.length })));
        expect(side("local")).toEqual(positions(local));
        expect(side("remote")).toEqual(positions(remote));
        expect(pieces.every(({ length }) => length > 0)).toBe(true);
      }),
    );
  });

  it("join blocks that are adjacent on both sides", () => {
    const blocks = (...offsets: number[]) => offsets.map((offset) => ({ offset, length: 4 }));
    expect(pairRanges(blocks(0, 4, 8, 12), blocks(20, 24, 40, 44))).toEqual([
      { local: 0, remote: 20, length: 8 },
      { local: 8, remote: 40, length: 8 },
    ]);
  });

  it("refuse sides of different length", () => {
    const one = [{ offset: 0, length: 10 }];
    expect(() => pairRanges(one, [{ offset: 0, length: 9 }])).toThrow("10 bytes and the peer's 9");
  });
});

/** Ranges with gaps between them, of `total` bytes together, empty ones included. */
function cutLike(total: number, cuts: readonly number[]): Range[] {
  const list: Range[] = [];
  let offset = 0;
  for (const cut of [...cuts, total]) {
    const length = Math.min(cut, total);
    list.push({ offset, length });
    offset += length + 7;
    total -= length;
  }
  return list;
}
