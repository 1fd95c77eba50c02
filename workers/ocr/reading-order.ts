import { type Extent, heightOf, middleX, middleY, widthOf } from "./extent.ts";
import { cornersOf, type LineBox, normalAngle, rotated } from "./geometry.ts";
import { findGutter } from "./gutter.ts";

/** A line and the number of its row: lines beside each other have the same. */
export interface Placed<Line> {
  readonly line: Line;
  readonly row: number;
}

/**
 * Puts a page's lines in reading order: columns from left to right, rows from the top, and lines beside each other from the left.
 * A page that is turned as a whole is read as if it were not. Cells of a table are no columns: a table is read by rows.
 */
export function inReadingOrder<Line extends { readonly box: LineBox }>(
  lines: readonly Line[],
): Placed<Line>[] {
  const direction = directionOf(lines.map(({ box }) => box));
  const items = lines.map((line) => ({ line, ...extentOf(line.box, direction) }));
  return arranged(items).flatMap((row, index) => row.map(({ line }) => ({ line, row: index })));
}

/** The direction of most text: the mean of the lines in the quarter that has most. In radians. */
function directionOf(boxes: readonly LineBox[]): number {
  const quarterOf = ({ angle }: LineBox) => (Math.round(angle / (Math.PI / 2)) + 4) % 4;
  const lengths = [0, 0, 0, 0];
  for (const box of boxes) lengths[quarterOf(box)]! += box.length;
  const quarter = lengths.indexOf(Math.max(...lengths));
  const most = quarter * (Math.PI / 2);
  let [slant, total] = [0, 0];
  for (const box of boxes) {
    if (quarterOf(box) !== quarter) continue;
    slant += normalAngle(box.angle - most) * box.length;
    total += box.length;
  }
  return total === 0 ? 0 : most + slant / total;
}

function extentOf(box: LineBox, direction: number): Extent {
  const corners = cornersOf(box).map((corner) => rotated(corner, -direction));
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
  return {
    left: Math.min(...xs),
    right: Math.max(...xs),
    top: Math.min(...ys),
    bottom: Math.max(...ys),
  };
}

/** The rows of a part of the page. Lines across a gutter divide its columns into an upper and a lower part. */
function arranged<Item extends Extent>(items: readonly Item[]): Item[][] {
  const gutter = findGutter(items);
  if (gutter === undefined) return rowsOf(items);
  const rows: Item[][] = [];
  let [left, right, across]: [Item[], Item[], Item[]] = [[], [], []];
  const endColumns = () => {
    rows.push(...arranged(left), ...arranged(right));
    [left, right] = [[], []];
  };
  const endAcross = () => {
    rows.push(...rowsOf(across));
    across = [];
  };
  for (const item of items.toSorted(byMiddle)) {
    if (isAcross(item, gutter)) {
      if (left.length + right.length > 0) endColumns();
      across.push(item);
    } else {
      if (across.length > 0) endAcross();
      (middleX(item) < gutter ? left : right).push(item);
    }
  }
  endColumns();
  endAcross();
  return rows;
}

/** Boxes are a little larger than their text. */
const isAcross = (item: Extent, gutter: number) =>
  Math.min(gutter - item.left, item.right - gutter) > heightOf(item) / 4;

const byMiddle = (a: Extent, b: Extent) => middleY(a) - middleY(b);

function rowsOf<Item extends Extent>(items: readonly Item[]): Item[][] {
  const rows: Item[][] = [];
  for (const item of items.toSorted(byMiddle)) {
    const row = rows.at(-1);
    if (row?.some((other) => isBeside(item, other))) row.push(item);
    else rows.push([item]);
  }
  for (const row of rows) row.sort((a, b) => a.left - b.left);
  return rows;
}

/** Whether two lines are at the same height, and not above each other. */
function isBeside(a: Extent, b: Extent): boolean {
  const height = Math.min(heightOf(a), heightOf(b));
  const width = Math.min(widthOf(a), widthOf(b));
  const overlap = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  return Math.abs(middleY(a) - middleY(b)) < height / 2 && overlap < width / 2;
}
