import { expect, test } from "vitest";
import { NO_THRESHOLDS } from "../load/thresholds.ts";
import { nameOf, request, routed, testModel } from "../test-model.ts";

test("workers that only prefill or encode get no requests", () => {
  const { router, add } = testModel({ policy: "round-robin" });
  const prefill = add("prefill", { role: "prefill" });
  add("encode", { role: "encode" });
  expect(router.route(request(32))).toBe("none-ready");
  expect(router.route(request(32, { worker: "prefill" }))).toBe("none-ready");
  const decode = add("decode", { role: "decode" });
  add("aggregated");
  const names = [1, 2, 3, 4].map(() => nameOf(router.route(request(32))));
  expect(names.sort()).toEqual(["aggregated", "aggregated", "decode", "decode"]);
  router.removeWorker(prefill);
  router.removeWorker(decode);
  add("late", { role: "prefill" });
  expect([1, 2].map(() => nameOf(router.route(request(32))))).toEqual(["aggregated", "aggregated"]);
});

test("prompts go only to workers whose context they fit into, if there is one", () => {
  const { router, add, setReady } = testModel({ policy: "round-robin" });
  const long = add("long", { contextLength: 4096 });
  add("short", { contextLength: 1024 });
  const namesFor = (tokens: number) => [1, 2].map(() => nameOf(router.route(request(tokens)))).sort();
  expect(namesFor(1023)).toEqual(["long", "short"]);
  expect(namesFor(1024)).toEqual(["long", "long"]);
  // A worker's error will say that it is too long.
  expect(namesFor(4096)).toEqual(["long", "short"]);
  const inexact = request(1024);
  const routes = [1, 2].map(() =>
    router.route({ ...inexact, prompt: { ...inexact.prompt, isExact: false } }),
  );
  expect(routes.map(nameOf).sort()).toEqual(["long", "short"]);
  setReady(long, false);
  expect(router.route(request(1024))).toBe("none-ready");
  router.removeWorker(long);
  expect(nameOf(router.route(request(1024)))).toBe("short");
});

test("a route's plan names its worker for decode, and no other", () => {
  const { router, add } = testModel();
  const worker = add("only");
  const route = routed(router, request(64));
  expect(route.plan.decode).toMatchObject({ worker, rank: 0, overlapBlocks: 0 });
  expect(route.plan.prefill ?? route.plan.encode).toBeUndefined();
});

test("a worker that has just joined gets a growing share, up to its full one", () => {
  let share = 0.25;
  const { router, add, setReady } = testModel({ policy: "round-robin" });
  const late = add("late", {}, () => share);
  const count = () => {
    const names = Array.from({ length: 2000 }, () => nameOf(router.route(request(16))));
    return names.filter((name) => name === "late").length;
  };
  // It is the only worker.
  expect(count()).toBe(2000);
  const settled = add("settled");
  // It skips three quarters of its turns: 400 of 2,000, within eight standard deviations.
  const early = count();
  expect(early).toBeGreaterThan(250);
  expect(early).toBeLessThan(550);
  setReady(settled, false);
  expect(count()).toBe(2000);
  setReady(settled, true);
  share = 1;
  expect(count()).toBe(1000);
  setReady(late, false);
  expect(count()).toBe(0);
});

test("a worker that has just joined is used at once if the others are busy or excluded", () => {
  const thresholds = { ...NO_THRESHOLDS, busyPrefillTokens: { tokens: 100 }, queuePrefillSteps: 100 };
  const { router, add } = testModel({ thresholds });
  add("late", { tags: ["new"] }, () => 0);
  add("settled");
  expect([1, 2].map(() => nameOf(router.route(request(60))))).toEqual(["settled", "settled"]);
  expect(nameOf(router.route(request(60)))).toBe("late");
  expect(nameOf(router.route(request(16, { tags: ["new"] })))).toBe("late");
});

test("a session's worker is used even if it has just joined", () => {
  const { router, add, setReady } = testModel({ affinity: { mode: "soft", ttlMs: 60_000 } });
  const settled = add("settled");
  setReady(settled, false);
  add("late", {}, () => 0);
  routed(router, request(16, { session: "s" }));
  setReady(settled, true);
  expect(nameOf(router.route(request(16)))).toBe("settled");
  expect(nameOf(router.route(request(16, { session: "s" })))).toBe("late");
});
