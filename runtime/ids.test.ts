import { expect, test } from "vitest";
import { isId, randomId, requestId } from "./ids.ts";

test("ids are 16 hex digits and do not repeat", () => {
  const ids = new Set(Array.from({ length: 10_000 }, randomId));
  expect(ids.size).toBe(10_000);
  for (const id of ids) expect(isId(id)).toBe(true);
});

test("a caller's request id is kept when it is safe to print", () => {
  expect(requestId("trace-7/a")).toBe("trace-7/a");
});

test("an unsafe or missing request id is replaced", () => {
  for (const offered of [undefined, null, "", "a\nb", "ü", "x".repeat(129)]) {
    expect(requestId(offered)).toMatch(/^req-[0-9a-f]{16}$/);
  }
});
