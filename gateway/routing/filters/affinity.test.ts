import { expect, it } from "vitest";
import { testModel } from "../test-model.ts";
import { SessionBindings } from "./affinity.ts";

const [slot] = (() => {
  const { router, add } = testModel();
  return router.workers.slotsOf(add("one"));
})();

it("forgets a session after its TTL without use", () => {
  const bindings = new SessionBindings({ mode: "soft", ttlMs: 1000 });
  bindings.remember("a", slot!, 0);
  expect(bindings.find("a", 1000)).toBe(slot);
  bindings.remember("a", slot!, 1000);
  expect(bindings.find("a", 2000)).toBe(slot);
  expect(bindings.find("a", 2001)).toBeUndefined();
  expect(bindings.find("b", 0)).toBeUndefined();
  expect(bindings.size).toBe(0);
});

it("evicts the least recently used session beyond the limit, and expired ones", () => {
  const bindings = new SessionBindings({ mode: "soft", ttlMs: 1000 }, 3);
  for (const session of ["a", "b", "c", "a", "d"]) bindings.remember(session, slot!, 0);
  expect(["a", "b", "c", "d"].map((session) => bindings.find(session, 0) !== undefined)).toEqual([
    true,
    false,
    true,
    true,
  ]);
  bindings.remember("e", slot!, 5000);
  bindings.remember("f", slot!, 5000);
  expect(bindings.size).toBe(2);
});
