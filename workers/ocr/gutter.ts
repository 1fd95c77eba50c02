import { type Extent, heightOf, widthOf } from "./extent.ts";

/** A line of prose is at least so many times as long as it is high; a shorter one may be a cell of a table. */
const PROSE = 6;
/** A column has at least so many lines. */
const FEWEST_LINES = 2;
/** A gutter is at least so wide, in heights of the lines beside it. */
const NARROWEST = 0.75;
/** Boxes are larger than their text, by about so much of their height at each end. */
const SPARE = 0.25;

/**
 * Finds the gutter between two columns of prose, which few lines cross, such as headings.
 * @returns its middle; undefined if there is none
 */
export function findGutter(items: readonly Extent[]): number | undefined {
  let best: Gutter | undefined;
  for (const item of items) {
    const gutter = gutterAt(items, item.right - SPARE * heightOf(item));
    if (gutter === undefined) continue;
    if (
      best === undefined ||
      gutter.lines > best.lines ||
      (gutter.lines === best.lines && gutter.width > best.width)
    )
      best = gutter;
  }
  return best?.middle;
}

interface Gutter {
  readonly middle: number;
  readonly width: number;
  /** Beside it. */
  readonly lines: number;
}

function gutterAt(items: readonly Extent[], x: number): Gutter | undefined {
  const spare = (item: Extent) => SPARE * heightOf(item);
  const left = items.filter((item) => item.right - spare(item) <= x);
  const right = items.filter((item) => item.left + spare(item) > x);
  const lines = left.length + right.length;
  // Headings are fewer than the lines of either column.
  if (items.length - lines >= Math.min(left.length, right.length)) return undefined;
  if (!isColumn(left) || !isColumn(right) || !areBeside(left, right)) return undefined;
  const start = Math.max(...left.map((item) => item.right - spare(item)));
  const end = Math.min(...right.map((item) => item.left + spare(item)));
  const height = median([...left, ...right].map(heightOf));
  return end - start < NARROWEST * height
    ? undefined
    : { middle: (start + end) / 2, width: end - start, lines };
}

/** Whether most of it is prose. */
function isColumn(items: readonly Extent[]): boolean {
  const prose = items.filter((item) => widthOf(item) >= PROSE * heightOf(item));
  return prose.length >= FEWEST_LINES && prose.length * 2 > items.length;
}

/** Whether at least half of the lower column is beside the other one. */
function areBeside(a: readonly Extent[], b: readonly Extent[]): boolean {
  const extent = (items: readonly Extent[]) => ({
    top: Math.min(...items.map(({ top }) => top)),
    bottom: Math.max(...items.map(({ bottom }) => bottom)),
  });
  const [first, second] = [extent(a), extent(b)];
  const common = Math.min(first.bottom, second.bottom) - Math.max(first.top, second.top);
  return common * 2 >= Math.min(first.bottom - first.top, second.bottom - second.top);
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
