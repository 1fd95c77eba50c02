/** In pixels; x grows to the right, y downwards. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle around a line of text, turned as the text is. */
export interface LineBox {
  readonly center: Point;
  /** Along the line, in pixels. */
  readonly length: number;
  /** Across the line, in pixels. */
  readonly thickness: number;
  /** The direction in which the line is read, in radians: 0 to the right, π/2 downwards. */
  readonly angle: number;
}

/** Top left, top right, bottom right and bottom left, as the text is read. */
export type Corners = readonly [Point, Point, Point, Point];

export function cornersOf({ center, length, thickness, angle }: LineBox): Corners {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const corner = (along: number, across: number): Point => ({
    x: center.x + (along * length * cos - across * thickness * sin) / 2,
    y: center.y + (along * length * sin + across * thickness * cos) / 2,
  });
  return [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
}

/** The same rectangle, read from its other end. */
export const turnedOver = (box: LineBox): LineBox => ({ ...box, angle: normalAngle(box.angle + Math.PI) });

/** The angle between -π (exclusive) and π (inclusive). */
export function normalAngle(angle: number): number {
  const turns = Math.ceil((angle - Math.PI) / (2 * Math.PI));
  return angle - turns * 2 * Math.PI;
}

/** The point, turned about the origin. */
export function rotated({ x, y }: Point, angle: number): Point {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return { x: x * cos - y * sin, y: x * sin + y * cos };
}

/**
 * The convex hull, by Andrew's monotone chain: https://en.wikibooks.org/wiki/Algorithm_Implementation/Geometry/Convex_hull/Monotone_chain
 * @param points sorted by y, and by x where y is equal
 */
export function convexHull(points: readonly Point[]): Point[] {
  if (points.length < 3) return [...points];
  const lower = chain(points);
  const upper = chain(points.toReversed());
  return [...lower.slice(0, -1), ...upper.slice(0, -1)];
}

function chain(points: Iterable<Point>): Point[] {
  const hull: Point[] = [];
  for (const point of points) {
    while (hull.length >= 2 && cross(hull.at(-2)!, hull.at(-1)!, point) <= 0) hull.pop();
    hull.push(point);
  }
  return hull;
}

const cross = (from: Point, a: Point, b: Point) =>
  (a.x - from.x) * (b.y - from.y) - (a.y - from.y) * (b.x - from.x);

/**
 * The rectangle of the smallest area around a convex polygon: one of its sides is on a side of the polygon. It is read from left
 * to right, or downwards if it is at least half as high again as it is wide, as in PaddleOCR.
 */
export function smallestRectangle(hull: readonly Point[]): LineBox {
  let smallest = rectangleAlong(hull, 0);
  for (const [index, from] of hull.entries()) {
    const to = hull[(index + 1) % hull.length]!;
    if (from.x === to.x && from.y === to.y) continue;
    const box = rectangleAlong(hull, Math.atan2(to.y - from.y, to.x - from.x));
    if (box.length * box.thickness < smallest.length * smallest.thickness) smallest = box;
  }
  return asRead(smallest);
}

function rectangleAlong(points: readonly Point[], angle: number): LineBox {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const point of points) {
    const { x, y } = rotated(point, -angle);
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  const center = rotated({ x: (left + right) / 2, y: (top + bottom) / 2 }, angle);
  return { center, length: right - left, thickness: bottom - top, angle };
}

/** How much higher than wide a rectangle is whose text runs downwards. PaddleOCR's number. */
const UPRIGHT = 1.5;

function asRead({ center, length, thickness, angle }: LineBox): LineBox {
  // First its side that is the most level.
  const quarters = Math.round(angle / (Math.PI / 2));
  const level = angle - (quarters * Math.PI) / 2;
  const [width, height] = quarters % 2 === 0 ? [length, thickness] : [thickness, length];
  return height >= UPRIGHT * width
    ? { center, length: height, thickness: width, angle: level + Math.PI / 2 }
    : { center, length: width, thickness: height, angle: level };
}
