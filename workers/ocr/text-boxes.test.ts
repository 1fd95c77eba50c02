import fc from "fast-check";
import { expect, test } from "vitest";
import { findComponents } from "./components.ts";
import { findTextBoxes, unclipped } from "./text-boxes.ts";

/** A map in which `#` is text for sure, `+` a little and `.` none. */
function mapOf(...rows: readonly string[]): { map: Float32Array; width: number } {
  const values: Readonly<Record<string, number>> = { "#": 1, "+": 0.4, ".": 0 };
  const map = Float32Array.from([...rows.join("")].map((mark) => values[mark]!));
  return { map, width: rows[0]!.length };
}

/** A map with rectangles [left, top, right, bottom] of a probability. */
function mapWith(width: number, height: number, rectangles: readonly (readonly number[])[], value = 0.9) {
  const map = new Float32Array(width * height);
  for (const [left = 0, top = 0, right = 0, bottom = 0] of rectangles)
    for (let y = top; y < bottom; y++) map.fill(value, y * width + left, y * width + right);
  return map;
}

test("pixels that touch at a corner are one component, and the largest comes first", () => {
  const { map, width } = mapOf("#....##", ".#..###", "#......", "....#..");
  expect(findComponents(map, width, 0.3, 10).map(({ pixels }) => pixels)).toEqual([5, 3, 1]);
  expect(findComponents(map, width, 0.3, 1)).toHaveLength(1);
});

test("a component may surround another one", () => {
  const { map, width } = mapOf("#####", "#...#", "#.#.#", "#...#", "#####");
  const [ring, dot] = findComponents(map, width, 0.3, 10);
  expect(ring).toMatchObject({ pixels: 16 });
  expect(ring!.hull).toHaveLength(4);
  expect(dot).toEqual({ pixels: 1, hull: [{ x: 2, y: 2 }] });
});

test("every pixel over the threshold is in one component", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 20 }),
      (bits, width) => {
        const rows = Math.ceil(bits.length / width);
        const map = new Float32Array(rows * width);
        map.set(bits);
        const found = findComponents(map, width, 0.5, Infinity);
        const pixels = found.reduce((sum, each) => sum + each.pixels, 0);
        expect(pixels).toBe(bits.filter((bit) => bit === 1).length);
      },
    ),
  );
});

test("a box is as much larger than its core as PaddleOCR's unclip makes it", () => {
  // 40 · 10 · 1.5 / 100 = 6 on each side.
  const core = { center: { x: 0, y: 0 }, length: 40, thickness: 10, angle: 0.2 };
  expect(unclipped(core)).toEqual({ ...core, length: 52, thickness: 22 });
});

test("finds lines of text", () => {
  const map = mapWith(100, 60, [
    [10, 10, 71, 21],
    [80, 5, 91, 56],
  ]);
  const [level, downwards] = findTextBoxes(map, 100).toSorted((a, b) => a.angle - b.angle);
  expect(level).toMatchObject({ center: { x: 40, y: 15 }, angle: 0 });
  // Its core is 60 · 10 between the centres of its outer pixels.
  expect(level!.thickness).toBeCloseTo(10 + 2 * (900 / 140));
  expect(downwards).toMatchObject({ center: { x: 85, y: 30 } });
  expect(downwards!.angle).toBeCloseTo(Math.PI / 2);
  expect(downwards!.length).toBeGreaterThan(downwards!.thickness);
});

test("what is small, faint or mostly empty is no text", () => {
  expect(findTextBoxes(mapWith(50, 50, [[10, 10, 40, 13]]), 50)).toEqual([]);
  expect(findTextBoxes(mapWith(50, 50, [[10, 10, 40, 30]], 0.5), 50)).toEqual([]);
  const cross = mapWith(50, 50, [
    [5, 24, 45, 26],
    [24, 5, 26, 45],
  ]);
  expect(findTextBoxes(cross, 50)).toEqual([]);
  expect(findTextBoxes(new Float32Array(2500), 50)).toEqual([]);
});
