import { resolve } from "node:path";
import { expect, test } from "vitest";
import { responsesStore } from "./responses-store.ts";

test.each([
  ["memory", undefined],
  ["file:some/folder", `file:${resolve("some/folder")}`],
  ["nats://127.0.0.1:4222/bucket", "nats://127.0.0.1:4222/bucket"],
])("--responses-store %s is a place", (store, place) => {
  expect(responsesStore(store)).toBe(place);
});

test.each(["file:", "nats:", "nats://", "redis://127.0.0.1"])("--responses-store %s is refused", (store) => {
  expect(() => responsesStore(store)).toThrow(/is not a store\. Use memory, file: and a folder, or nats:/);
});

test("several processes that share no memory share a temporary folder", () => {
  expect(responsesStore("memory", 2)).toMatch(/^file:/);
});
