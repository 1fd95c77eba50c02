import { expect, test } from "vitest";
import { keyTable } from "./key-table.ts";

const key = { hash: "", isAdmin: false } as never as Parameters<typeof keyTable>[0][number];

test("a group of the name none is no lack of a group", () => {
  const keys = [
    { ...key, id: "one" },
    { ...key, id: "two", group: "none" },
  ];
  const [, one, two] = keyTable(keys, 0).split("\n");
  expect(one).toMatch(/ - +no$/);
  expect(two).toMatch(/ none +no$/);
});
