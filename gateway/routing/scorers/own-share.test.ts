import { expect, test } from "vitest";
import { type GatewayShares, NO_LOAD, sharedIdOf } from "../load/shared-load.ts";
import { nameOf, request, routed, testModel } from "../test-model.ts";
import { ownerOf } from "./own-share.ts";

const ids = Array.from({ length: 4000 }, (_, index) => (index * 2654435761).toString(16).padStart(16, "0"));
const equal = new Map([
  ["a", 1],
  ["b", 1],
  ["c", 1],
]);

const shareOf = (gateway: string, weights: ReadonlyMap<string, number>) =>
  ids.filter((id) => ownerOf(id, weights) === gateway).length / ids.length;

test("gateways own workers in proportion to their weights", () => {
  for (const gateway of equal.keys()) expect(shareOf(gateway, equal)).toBeCloseTo(1 / 3, 1);
  const uneven = new Map([
    ["a", 90],
    ["b", 10],
    ["c", 0],
  ]);
  expect(shareOf("a", uneven)).toBeCloseTo(0.9, 1);
  expect(shareOf("b", uneven)).toBeCloseTo(0.1, 1);
  expect(shareOf("c", uneven)).toBe(0);
  expect(ownerOf(ids[0]!, new Map())).toBeUndefined();
});

test("only the workers of a gateway that leaves change owners", () => {
  const left = new Map([...equal].filter(([gateway]) => gateway !== "c"));
  for (const id of ids) {
    const before = ownerOf(id, equal);
    if (before !== "c") expect(ownerOf(id, left)).toBe(before);
  }
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
  // Ids are random, so workers are added until both kinds exist.
  const owners = () => workers.map(({ instance }) => ownerOf(sharedIdOf(instance), equal));
  while (workers.length < 12 || !owners().includes("a") || new Set(owners()).size === 1)
    workers.push(model.add(`w${workers.length}`));
  const ownedBy = (gateway: string) =>
    workers.filter(({ instance }) => ownerOf(sharedIdOf(instance), equal) === gateway);
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
  // Each own worker has a fifth of the prompt's prefill pending, which is within the tolerance of a quarter.
  for (const name of own) routed(router, request(320, { worker: name }));
  const near = routed(router, request(1600));
  expect(own).toContain(near.worker.instance.name);
  near.free("finished");
  for (const name of own) routed(router, request(320, { worker: name }));
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
