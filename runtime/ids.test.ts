import { expect, test } from "vitest";
import { bytesToId, idToBytes, randomId, requestId } from "./ids.ts";

test("ids are 16 hex digits and do not repeat", () => {
  const ids = new Set(Array.from({ length: 10_000 }, randomId));
  expect(ids.size).toBe(10_000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
});

test("a caller's request id is kept when it is safe to print", () => {
  expect(requestId("trace-7/a")).toBe("trace-7/a");
});

test("an unsafe or missing request id is replaced", () => {
  for (const offered of [undefined, null, "", "a\nb", "ü", "x".repeat(129)]) {
    expect(requestId(offered)).toMatch(/^req-[0-9a-f]{16}$/);
  }
});

test("ids travel as 8 little-endian bytes", () => {
  expect([...idToBytes("0102030405060708")]).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  for (const id of [randomId(), "0000000000000000", "ffffffffffffffff"])
    expect(bytesToId(idToBytes(id))).toBe(id);
  expect(bytesToId(new Uint8Array(7))).toBeUndefined();
});
