import { convexHull, type Point } from "./geometry.ts";

/** Pixels of a map that touch each other, at sides or corners. */
export interface Component {
  readonly pixels: number;
  /** The convex hull of their centres. */
  readonly hull: readonly Point[];
}

/**
 * Finds the connected parts of a map.
 * @param map row by row
 * @param threshold above which a pixel counts
 * @param limit only so many are returned, the largest ones
 */
export function findComponents(
  map: Float32Array,
  width: number,
  threshold: number,
  limit: number,
): Component[] {
  const height = Math.floor(map.length / width);
  const isOpen = new Uint8Array(width * height);
  for (let at = 0; at < isOpen.length; at++) isOpen[at] = map[at]! > threshold ? 1 : 0;
  const filler = new Filler(isOpen, width, height);
  const fills: Fill[] = [];
  for (let at = 0; at < isOpen.length; at++) if (isOpen[at] === 1) fills.push(filler.fill(at));
  fills.sort((a, b) => b.pixels - a.pixels);
  return fills
    .slice(0, limit)
    .map(({ pixels, top, lefts, rights }) => ({ pixels, hull: hullOf(top, lefts, rights) }));
}

interface Fill {
  readonly pixels: number;
  /** The first row. */
  readonly top: number;
  /** For each row, the first and the last of its pixels. */
  readonly lefts: Int32Array;
  readonly rights: Int32Array;
}

/** Visits each component once, with memory that is used again. */
class Filler {
  readonly #isOpen: Uint8Array;
  readonly #width: number;
  readonly #height: number;
  readonly #stack: Int32Array;
  readonly #lefts: Int32Array;
  readonly #rights: Int32Array;

  constructor(isOpen: Uint8Array, width: number, height: number) {
    this.#isOpen = isOpen;
    this.#width = width;
    this.#height = height;
    // A pixel is pushed at most once.
    this.#stack = new Int32Array(isOpen.length);
    this.#lefts = new Int32Array(height).fill(width);
    this.#rights = new Int32Array(height).fill(-1);
  }

  /** @param start its first pixel in reading order */
  fill(start: number): Fill {
    const [isOpen, width, height, stack] = [this.#isOpen, this.#width, this.#height, this.#stack];
    const [lefts, rights] = [this.#lefts, this.#rights];
    const top = Math.floor(start / width);
    let [bottom, pixels, size] = [top, 0, 0];
    stack[size++] = start;
    isOpen[start] = 0;
    while (size > 0) {
      const at = stack[--size]!;
      const y = Math.floor(at / width);
      const x = at - y * width;
      pixels++;
      bottom = Math.max(bottom, y);
      lefts[y] = Math.min(lefts[y]!, x);
      rights[y] = Math.max(rights[y]!, x);
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++)
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
          const next = row * width + column;
          if (isOpen[next] === 0) continue;
          isOpen[next] = 0;
          stack[size++] = next;
        }
    }
    const fill = { pixels, top, lefts: lefts.slice(top, bottom + 1), rights: rights.slice(top, bottom + 1) };
    lefts.fill(width, top, bottom + 1);
    rights.fill(-1, top, bottom + 1);
    return fill;
  }
}

function hullOf(top: number, lefts: Int32Array, rights: Int32Array): Point[] {
  const points: Point[] = [];
  for (const [row, left] of lefts.entries()) {
    points.push({ x: left, y: top + row });
    if (rights[row] !== left) points.push({ x: rights[row]!, y: top + row });
  }
  return convexHull(points);
}
