import { expect, it } from "vitest";
import { testModel } from "../test-model.ts";
import { SessionHomes } from "./affinity.ts";

const [slot] = (() => {
  const { router, add } = testModel();
  return router.workers.slotsOf(add("one"));
})();

it("forgets a session that was not used for its time", () => {
  const homes = new SessionHomes({ mode: "soft", ttlMs: 1000 });
  homes.remember("a", slot!, 0);
  expect(homes.find("a", 1000)).toBe(slot);
  homes.remember("a", slot!, 1000);
  expect(homes.find("a", 2000)).toBe(slot);
  expect(homes.find("a", 2001)).toBeUndefined();
  expect(homes.find("b", 0)).toBeUndefined();
  expect(homes.size).toBe(0);
});

it("makes room by forgetting the session used longest ago, and those whose time is over", () => {
  const homes = new SessionHomes({ mode: "soft", ttlMs: 1000 }, 3);
  for (const session of ["a", "b", "c", "a", "d"]) homes.remember(session, slot!, 0);
  expect(["a", "b", "c", "d"].map((session) => homes.find(session, 0) !== undefined)).toEqual([
    true,
    false,
    true,
    true,
  ]);
  homes.remember("e", slot!, 5000);
  homes.remember("f", slot!, 5000);
  expect(homes.size).toBe(2);
});
