import { expect, test } from "vitest";
import { pageText } from "./page-text.ts";

const corner = { x: 0, y: 0 };
const line = (text: string, row: number) =>
  ({ text, row, score: 1, box: [corner, corner, corner, corner] }) as const;

test("rows are lines, and cells are divided by tabs", () => {
  expect(pageText([line("coffee", 0), line("2.50", 0), line("total", 1)])).toBe("coffee\t2.50\ntotal");
  expect(pageText([])).toBe("");
});
