import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Entry, FairQueue, type QueuePlace } from "./fair-queue.ts";
import type { QueueOptions } from "./options.ts";

const newQueue = (options: Partial<QueueOptions> = {}) =>
  new FairQueue<string>({ limit: 1000, policy: "fcfs", tenantWeights: new Map(), ...options });

const place = (given: Partial<QueuePlace> = {}): QueuePlace => ({
  priority: 0,
  tenant: "",
  work: 1,
  ...given,
});

/** Serves all entries. @returns the items in order */
function drain(queue: FairQueue<string>): string[] {
  const served: string[] = [];
  for (;;) {
    const entry = queue.next(() => false);
    if (entry === undefined) return served;
    queue.serve(entry);
    served.push(entry.item);
  }
}

const places = fc.array(
  fc.record({
    priority: fc.integer({ min: -1, max: 1 }),
    tenant: fc.constantFrom("", "a", "b"),
    work: fc.nat(20),
  }),
  { maxLength: 60 },
);
const policies = fc.constantFrom<QueueOptions["policy"]>("fcfs", "shortest");

describe("a fair queue", () => {
  it("serves each entry once, higher priorities first", () => {
    fc.assert(
      fc.property(places, policies, (given, policy) => {
        const queue = newQueue({ policy });
        given.forEach((each, index) => void queue.push(String(index), each));
        expect(queue.size).toBe(given.length);
        const served = drain(queue).map(Number);
        expect(queue.size).toBe(0);
        expect([...served].sort((a, b) => a - b)).toEqual(given.map((_, index) => index));
        const priorities = served.map((index) => given[index]!.priority);
        expect(priorities).toEqual([...priorities].sort((a, b) => b - a));
      }),
    );
  });

  it("serves each tenant's entries by arrival, or least work first", () => {
    fc.assert(
      fc.property(places, policies, (given, policy) => {
        const queue = newQueue({ policy });
        given.forEach((each, index) => void queue.push(String(index), each));
        const served = drain(queue).map(Number);
        const key = (index: number) => `${given[index]!.priority} ${given[index]!.tenant}`;
        for (const own of Map.groupBy(served, key).values()) {
          const expected = [...own].sort(
            (a, b) => (policy === "shortest" ? given[a]!.work - given[b]!.work : 0) || a - b,
          );
          expect(own).toEqual(expected);
        }
      }),
    );
  });

  it("gives backlogged tenants shares by weight, to within one entry of each", () => {
    const tenant = fc.record({
      weight: fc.constantFrom(0.5, 1, 2, 3),
      works: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 30, maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(tenant, { minLength: 2, maxLength: 4 }), policies, (tenants, policy) => {
        const weights = new Map(tenants.map(({ weight }, index) => [String(index), weight]));
        const queue = newQueue({ policy, tenantWeights: weights });
        tenants.forEach(({ works }, index) => {
          for (const work of works) queue.push("", place({ tenant: String(index), work }));
        });
        const left = tenants.map(({ works }) => works.length);
        const served = tenants.map(() => 0);
        for (;;) {
          const entry = queue.next(() => false)!;
          queue.serve(entry);
          const index = Number(entry.tenant);
          served[index]! += entry.work / tenants[index]!.weight;
          if (--left[index]! === 0) return;
          for (const a of tenants.keys()) {
            for (const b of tenants.keys()) {
              const bound = 20 / tenants[a]!.weight + 20 / tenants[b]!.weight;
              expect(Math.abs(served[a]! - served[b]!)).toBeLessThanOrEqual(bound);
            }
          }
        }
      }),
    );
  });

  it("gives a tenant no credit for idle time", () => {
    const queue = newQueue();
    for (let index = 0; index < 20; index++) queue.push(`busy ${index}`, place({ tenant: "busy" }));
    for (let index = 0; index < 10; index++) queue.serve(queue.next(() => false)!);
    for (let index = 0; index < 10; index++) queue.push(`late ${index}`, place({ tenant: "late" }));
    const served = drain(queue);
    expect(served.slice(0, 6).filter((item) => item.startsWith("late"))).toHaveLength(3);
  });

  it("remembers a tenant's use of its share while others wait", () => {
    const queue = newQueue();
    queue.push("large", place({ tenant: "a", work: 100 }));
    for (let index = 0; index < 5; index++) queue.push(`b${index}`, place({ tenant: "b", work: 10 }));
    expect(queue.next(() => false)?.item).toBe("large");
    queue.serve(queue.next(() => false)!);
    queue.push("again", place({ tenant: "a" }));
    expect(drain(queue)).toEqual(["b0", "b1", "b2", "b3", "b4", "again"]);
  });

  it("skips blocked entries, which keep their place", () => {
    const queue = newQueue();
    for (const item of ["x1", "y1", "x2", "y2"]) queue.push(item, place());
    const isX = (item: string) => item.startsWith("x");
    const served: Entry<string> = queue.next(isX)!;
    expect(served.item).toBe("y1");
    queue.serve(served);
    expect(queue.next((item) => !isX(item))?.item).toBe("x1");
    expect(drain(queue)).toEqual(["x1", "x2", "y2"]);
    expect(queue.next(() => false)).toBeUndefined();
  });

  it("removes an entry once, at no cost to its tenant", () => {
    const queue = newQueue();
    const gone = queue.push("gone", place({ tenant: "a", work: 1000 }));
    queue.push("a", place({ tenant: "a" }));
    queue.push("b", place({ tenant: "b" }));
    queue.remove(gone);
    queue.remove(gone);
    expect(queue.size).toBe(2);
    expect(drain(queue)).toEqual(["a", "b"]);
  });

  it("finds the entry to displace for a higher priority", () => {
    const queue = newQueue({ limit: 2 });
    queue.push("first", place());
    expect(queue.isFull).toBe(false);
    queue.push("second", place());
    expect(queue.isFull).toBe(true);
    expect(queue.lastBelow(0)).toBeUndefined();
    expect(queue.lastBelow(1)?.item).toBe("second");
  });
});
