import { expect, test } from "vitest";
import { type GatewayShares, NO_LOAD, sharedIdOf } from "../load/shared-load.ts";
import { nameOf, request, routed, testModel } from "../test-model.ts";
import { divide } from "./own-share.ts";

const ids = Array.from({ length: 4000 }, (_, index) => (index * 2654435761).toString(16).padStart(16, "0"));
const equal = new Map([
  ["a", 1],
  ["b", 1],
  ["c", 1],
]);

const shareOf = (gateway: string, weights: ReadonlyMap<string, number>, workers = ids) =>
  [...divide(workers, weights).values()].filter((owner) => owner === gateway).length / workers.length;

test("gateways own workers in proportion to their weights", () => {
  for (const gateway of equal.keys()) expect(shareOf(gateway, equal)).toBeCloseTo(1 / 3, 3);
  const uneven = new Map([
    ["a", 90],
    ["b", 10],
    ["c", 0],
  ]);
  expect(shareOf("a", uneven)).toBeCloseTo(0.9, 3);
  expect(shareOf("b", uneven)).toBeCloseTo(0.1, 3);
  expect(shareOf("c", uneven)).toBe(0);
  expect(divide(ids, new Map()).size).toBe(0);
});

test("few workers are divided evenly too, and each has an owner", () => {
  for (let count = 0; count < 40; count++) {
    const workers = ids.slice(0, count);
    const owners = divide(workers, equal);
    expect(owners.size).toBe(count);
    for (const gateway of equal.keys()) {
      const own = [...owners.values()].filter((owner) => owner === gateway).length;
      expect(Math.abs(own - count / 3)).toBeLessThan(1);
    }
  }
});

test("every gateway divides alike, whatever order it knows the others and the workers in", () => {
  const reversed = new Map([...equal].reverse());
  expect(divide([...ids].reverse(), reversed)).toEqual(divide(ids, equal));
});

test("few other workers change owners when a gateway leaves", () => {
  const left = new Map([...equal].filter(([gateway]) => gateway !== "c"));
  const [before, after] = [divide(ids, equal), divide(ids, left)];
  const others = ids.filter((id) => before.get(id) !== "c");
  const moved = others.filter((id) => after.get(id) !== before.get(id));
  expect(moved.length / others.length).toBeLessThan(0.1);
});

/** A router that only weighs prefill, with workers of its own share and of other gateways'. */
function shared() {
  let shares: GatewayShares = { own: "a", weights: equal };
  const model = testModel({
    others: {
      shares: () => shares,
      loadsOf: () => ({ booked: () => NO_LOAD, changed() {}, router: undefined }),
      countRequest() {},
    },
    weights: { activeRequestWeight: 0, recentPrefillWeight: 0, overlapCredit: 1 },
  });
  const workers = [model.add("w0")];
  while (workers.length < 12) workers.push(model.add(`w${workers.length}`));
  const owners = divide(
    workers.map(({ instance }) => sharedIdOf(instance)),
    equal,
  );
  const ownedBy = (gateway: string) =>
    workers.filter(({ instance }) => owners.get(sharedIdOf(instance)) === gateway);
  return {
    ...model,
    workers,
    ownedBy,
    become: (own: string, weights: ReadonlyMap<string, number> = equal) => {
      shares = { own, weights };
    },
  };
}

test("a gateway chooses its cheapest own worker, unless that is much more expensive than the cheapest of all", () => {
  const { router, ownedBy, become } = shared();
  const own = ownedBy("a").map(({ instance }) => instance.name);
  const idle = routed(router, request(1600));
  expect(own).toContain(idle.worker.instance.name);
  idle.free("finished");
  // Each own worker has a fifth of the prompt's prefill pending, which is within the tolerance of two fifths.
  for (const name of own) routed(router, request(320, { worker: name }));
  const near = routed(router, request(1600));
  expect(own).toContain(near.worker.instance.name);
  near.free("finished");
  for (const name of own) routed(router, request(480, { worker: name }));
  expect(own).not.toContain(nameOf(router.route(request(1600))));
  become("nobody");
  expect(typeof router.route(request(1600))).toBe("object");
});

test("changed shares take effect with the next request", () => {
  const { router, become, workers } = shared();
  become("solo", new Map([["solo", 1]]));
  const all = new Set(workers.map(() => nameOf(router.route(request(1600)))));
  // All workers are its own, and each is chosen once the others are busier.
  expect(all.size).toBe(workers.length);
});
