import { expect, test } from "vitest";
import { cropLine } from "./crop.ts";
import { CHANNELS, type Picture } from "./picture.ts";
import { columnsOf, splitStrip, stripInput } from "./strips.ts";

/** A grey picture. */
function picture(...rows: readonly (readonly number[])[]): Picture {
  const pixels = Uint8Array.from(rows.flat().flatMap((value) => [value, value, value]));
  return { pixels, width: rows[0]!.length, height: rows.length };
}

/** The red of each pixel, row by row. */
function rowsOf({ pixels, width, height }: Picture): number[][] {
  return Array.from({ length: height }, (_row, y) =>
    Array.from({ length: width }, (_column, x) => pixels[(y * width + x) * CHANNELS]!),
  );
}

const small = picture([10, 20, 30], [40, 50, 60]);
const whole = { center: { x: 1.5, y: 1 }, length: 3, thickness: 2, angle: 0 };

test("a box in the picture's size is cut out as it is", () => {
  expect(rowsOf(cropLine(small, whole, 2))).toEqual([
    [10, 20, 30],
    [40, 50, 60],
  ]);
});

test("upside down and downwards lines are turned level", () => {
  expect(rowsOf(cropLine(small, { ...whole, angle: Math.PI }, 2))).toEqual([
    [60, 50, 40],
    [30, 20, 10],
  ]);
  // Read downwards, the right column is the top.
  expect(rowsOf(cropLine(small, { ...whole, length: 2, thickness: 3, angle: Math.PI / 2 }, 3))).toEqual([
    [30, 60],
    [20, 50],
    [10, 40],
  ]);
});

test("what is larger than the strip is averaged, and outside the picture is its edge", () => {
  expect(rowsOf(cropLine(small, { ...whole, length: 2, center: { x: 1, y: 1 } }, 1))).toEqual([[30]]);
  expect(rowsOf(cropLine(small, { ...whole, center: { x: -4, y: 1 } }, 2))).toEqual([
    [10, 10, 10],
    [40, 40, 40],
  ]);
});

test("a strip may be squeezed", () => {
  expect(cropLine(small, { ...whole, length: 200, thickness: 10 }, 48, 0.5)).toMatchObject({
    width: 480,
    height: 48,
  });
});

test("networks get planes from -1 to 1, filled with zeros", () => {
  const input = stripInput({ pixels: Uint8Array.of(255, 0, 0), width: 1, height: 1 }, 2);
  expect([...input]).toEqual([-1, 0, -1, 0, 1, 0]);
  expect(rowsOf(columnsOf(small, 1, 3))).toEqual([
    [20, 30],
    [50, 60],
  ]);
});

test("a long strip is cut in gaps between words", () => {
  const ink = [0, 255, 0, 255, 0, 255, 0, 255, 0];
  const gap = [255, 255, 255];
  const top = [...ink, ...gap, ...ink, 255, ...ink, ...gap, ...ink];
  const strip = picture(
    top,
    top.map(() => 255),
  );
  const parts = splitStrip(strip, 14);
  expect(parts.map(({ width }) => width).reduce((sum, width) => sum + width)).toBe(top.length);
  expect(parts[0]).toMatchObject({ width: 10 });
  for (const { width } of parts) expect(width).toBeLessThanOrEqual(14);
});

test("a strip without gaps is cut at the greatest width", () => {
  const row = Array.from({ length: 25 }, () => 0);
  const parts = splitStrip(
    picture(
      row,
      row.map(() => 255),
    ),
    10,
  );
  expect(parts.map(({ width }) => width)).toEqual([10, 10, 5]);
});
