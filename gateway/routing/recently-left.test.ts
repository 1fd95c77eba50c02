import { expect, it } from "vitest";
import { RecentlyLeft } from "./recently-left.ts";
import { testModel } from "./test-model.ts";

it("remembers the names, ids and tags of workers for a minute after they leave", () => {
  const { add } = testModel();
  const left = new RecentlyLeft();
  const { instance } = add("one", { tags: ["gpu=h100", "zone=a"] });
  left.add(instance, 1000);
  for (const name of ["one", instance.id]) expect(left.knows(name, 61_000)).toBe(true);
  expect(left.knows("two", 1000)).toBe(false);
  expect(left.hadTags(["zone=a"], 61_000)).toBe(true);
  expect(left.hadTags(["zone=a", "zone=b"], 61_000)).toBe(false);
  // If it leaves again, the minute starts again.
  left.add(instance, 50_000);
  expect(left.knows("one", 110_000)).toBe(true);
  expect(left.knows("one", 110_001)).toBe(false);
});
