import { expect, test } from "vitest";
import { type LineBox, normalAngle, rotated } from "./geometry.ts";
import { inReadingOrder } from "./reading-order.ts";

interface Line {
  readonly text: string;
  readonly box: LineBox;
}

/** A level line, 20 pixels high. */
const line = (text: string, left: number, y: number, length: number): Line => ({
  text,
  box: { center: { x: left + length / 2, y }, length, thickness: 20, angle: 0 },
});

/** The texts in reading order, rows divided by `/`. */
function read(lines: readonly Line[]): string {
  const rows: string[] = [];
  for (const { line: found, row } of inReadingOrder(lines))
    rows[row] = rows[row] === undefined ? found.text : `${rows[row]} ${found.text}`;
  return rows.join(" / ");
}

const turned = (lines: readonly Line[], degrees: number): Line[] => {
  const angle = (degrees * Math.PI) / 180;
  return lines.map(({ text, box }) => ({
    text,
    box: { ...box, center: rotated(box.center, angle), angle: normalAngle(box.angle + angle) },
  }));
};

const columns = [
  line("d", 300, 70, 200),
  line("a", 0, 40, 220),
  line("c", 300, 40, 200),
  line("b", 0, 70, 210),
];
const heading = line("heading", 100, 0, 300);

test("lines are read from the top", () => {
  expect(read([line("b", 10, 50, 200), line("c", 0, 90, 100), line("a", 50, 10, 200)])).toBe("a / b / c");
});

test("columns are read one after another", () => {
  expect(read(columns)).toBe("a / b / c / d");
});

test("a heading over columns comes first, and one between them divides them", () => {
  expect(read([...columns, heading])).toBe("heading / a / b / c / d");
  const lower = columns.map(({ text, box }) => ({
    text: text.toUpperCase(),
    box: { ...box, center: { x: box.center.x, y: box.center.y + 100 } },
  }));
  const between = line("between", 100, 100, 300);
  expect(read([...lower, between, ...columns])).toBe("a / b / c / d / between / A / B / C / D");
});

test("three columns", () => {
  const third = [line("f", 600, 70, 200), line("e", 600, 40, 200)];
  expect(read([...third, ...columns])).toBe("a / b / c / d / e / f");
});

test("a table is read by rows", () => {
  const prices = [line("2.50", 400, 11, 60), line("7.20", 400, 49, 60), line("9.70", 400, 90, 60)];
  const goods = [
    line("coffee", 0, 10, 90),
    line("sandwich with cheese", 0, 50, 250),
    line("total", 0, 90, 70),
  ];
  expect(read([...prices, ...goods])).toBe("coffee 2.50 / sandwich with cheese 7.20 / total 9.70");
});

test.each([3, -8, 90, 180, -90, 95])("a page turned by %d degrees is read as if it were not", (degrees) => {
  expect(read(turned([...columns, heading], degrees))).toBe("heading / a / b / c / d");
});

test("no lines have no order", () => {
  expect(inReadingOrder([])).toEqual([]);
});
