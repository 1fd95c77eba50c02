import { expect, test } from "vitest";
import {
  convexHull,
  cornersOf,
  type LineBox,
  normalAngle,
  type Point,
  smallestRectangle,
  turnedOver,
} from "./geometry.ts";

const degrees = (angle: number) => (angle * Math.PI) / 180;

function box(length: number, thickness: number, angle: number): LineBox {
  return { center: { x: 100, y: 50 }, length, thickness, angle: degrees(angle) };
}

/** Sorted as `convexHull` wants it. */
const sorted = (points: readonly Point[]) => points.toSorted((a, b) => a.y - b.y || a.x - b.x);

function expectClose(actual: LineBox, expected: LineBox): void {
  expect(actual.center.x).toBeCloseTo(expected.center.x);
  expect(actual.center.y).toBeCloseTo(expected.center.y);
  expect(actual.length).toBeCloseTo(expected.length);
  expect(actual.thickness).toBeCloseTo(expected.thickness);
  expect(actual.angle).toBeCloseTo(expected.angle);
}

test.each([
  ["level", box(40, 10, 0)],
  ["slanted", box(40, 10, 20)],
  ["slanted upwards", box(40, 10, -30)],
  ["downwards", box(40, 10, 90)],
  ["downwards and slanted", box(40, 10, 75)],
  ["nearly square, which is read as if it were level", box(10, 12, 10)],
])("the smallest rectangle around the corners of one is that one: %s", (_name, expected) => {
  expectClose(smallestRectangle(convexHull(sorted(cornersOf(expected)))), expected);
});

test("the corners begin at the top left of the text", () => {
  const [first, second] = cornersOf(box(40, 10, 90));
  expect(first.x).toBeCloseTo(105);
  expect(first.y).toBeCloseTo(30);
  expect(second.x).toBeCloseTo(105);
  expect(second.y).toBeCloseTo(70);
});

test("a box that is turned over has its corners at the other end", () => {
  const [first] = cornersOf(turnedOver(box(40, 10, 0)));
  expect(first.x).toBeCloseTo(120);
  expect(first.y).toBeCloseTo(55);
});

test("the hull leaves out points inside and on its sides", () => {
  const points = [0, 1, 2].flatMap((y) => [0, 1, 2].map((x) => ({ x, y })));
  const hull = convexHull(points);
  expect(sorted(hull)).toEqual([
    { x: 0, y: 0 },
    { x: 2, y: 0 },
    { x: 0, y: 2 },
    { x: 2, y: 2 },
  ]);
});

test("a point and a row of points have flat rectangles", () => {
  expect(smallestRectangle([{ x: 3, y: 4 }])).toMatchObject({
    center: { x: 3, y: 4 },
    length: 0,
    thickness: 0,
  });
  const row = convexHull([
    { x: 1, y: 4 },
    { x: 2, y: 4 },
    { x: 5, y: 4 },
  ]);
  expect(smallestRectangle(row)).toMatchObject({ center: { x: 3, y: 4 }, length: 4, thickness: 0, angle: 0 });
});

test("angles are within half a turn", () => {
  expect(normalAngle(Math.PI * 2.5)).toBeCloseTo(Math.PI / 2);
  expect(normalAngle(-Math.PI)).toBeCloseTo(Math.PI);
  expect(normalAngle(-Math.PI / 2)).toBeCloseTo(-Math.PI / 2);
});
