import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createRouter } from "#router-wasm";
import { Chooser } from "../chooser.ts";
import { Selection } from "../filters/selection.ts";
import { NO_PREFERENCES } from "../preferences.ts";
import { exactPrompt } from "../prompt.ts";
import { nameOf, request, routed, routerModule, testModel } from "../test-model.ts";
import { POLICIES, POLICY_NAMES } from "./policies.ts";
import type { RoutingPolicy } from "./policy.ts";

test.each(POLICY_NAMES)("%s chooses an acceptable worker, and books the load once", (policy) => {
  const { router, add, setReady } = testModel({ policy });
  expect(router.route(request(64))).toBe("none-ready");
  const [away, tried, tagged] = [add("away"), add("tried"), add("tagged", { tags: ["x"] })];
  setReady(away, false);
  for (let i = 0; i < 5; i++) {
    const route = routed(router, { ...request(64), excluded: [tried] });
    expect(route.worker).toBe(tagged);
    expect(router.loads(tagged)).toMatchObject([{ activeRequests: 1, activePrefillTokens: 64 }]);
    route.free("finished");
  }
  expect(nameOf(router.route(request(64, { tags: ["x"] })))).toBe("tagged");
  expect(router.stats().bookings).toBe(1);
  expect(router.decisions.list(1)[0]!.chosen!.name).toBe("tagged");
  expect(router.peek(request(64, { worker: "tried" }))).toBe(tried);
  expect(router.stats().bookings).toBe(1);
});

test("docs/routing.md describes every policy", () => {
  const page = readFileSync(new URL("../../../docs/routing.md", import.meta.url), "utf8");
  for (const name of POLICY_NAMES) expect(page).toMatch(new RegExp(`^\\| \`${name}\`.* \\| .+ \\|$`, "m"));
});

test("a policy's scorers add to the costs that its picker gets", () => {
  const core = createRouter(routerModule, { blockSize: 16 });
  for (let i = 0; i < 3; i++) core.addWorker();
  const selection = new Selection();
  const choose = (policy: RoutingPolicy) =>
    new Chooser(core, policy, [], () => 0.5).choose(
      { prompt: exactPrompt(new Uint32Array(32)), preferences: NO_PREFERENCES },
      selection,
      [undefined, undefined, undefined],
      1,
      { books: true },
    );
  const surcharge = {
    score(terms: Float64Array) {
      [3, 1, 2].forEach((term, index) => {
        terms[index]! += term;
      });
    },
  };
  expect(choose({ ...POLICIES.kv, scorers: [() => surcharge] })).toMatchObject({
    worker: 1,
    cost: 24 * 2 + 1,
  });
  const seen: number[][] = [];
  const mostExpensive: RoutingPolicy = {
    readsCaches: false,
    scorers: [() => surcharge, () => surcharge],
    picker: {
      pick: (candidates, { prompt, load }, random) => {
        seen.push([prompt.tokens.length, load(1).activeRequests, random]);
        return candidates.reduce((a, b) => (b.total > a.total ? b : a)).worker;
      },
    },
  };
  expect(choose(mostExpensive).worker).toBe(1);
  selection.exclude([1]);
  expect(choose(mostExpensive)).toMatchObject({ worker: 0, booking: expect.any(Number) });
  expect(core.stats().bookings).toBe(3);
  expect(seen).toEqual([
    [32, 1, 0.5],
    [32, 2, 0.5],
  ]);
});

test("prefix-hash sends prompts with the same prefix to one worker, and to another beyond the load bound", () => {
  const { router, add } = testModel({ policy: "prefix-hash" });
  const workers = Array.from({ length: 8 }, (_, index) => add(`w${index}`));
  const workerOf = (token: number, tokens: number) => {
    const route = routed(router, request(tokens, {}, token));
    route.free("finished");
    return route.worker;
  };
  const chosen = Array.from({ length: 200 }, (_, token) => workerOf(token, 2000));
  chosen.forEach((worker, token) => {
    expect(workerOf(token, 3000)).toBe(worker);
  });
  for (const worker of workers)
    expect(chosen.filter((other) => other === worker).length).toBeGreaterThan(200 / 8 / 3);
  // Concurrent requests with one prefix: no worker has more than a quarter above the mean.
  for (let i = 0; i < 80; i++) routed(router, request(2000, {}, 1));
  const counts = workers.map((worker) => router.loads(worker)[0]!.activeRequests);
  expect(Math.max(...counts)).toBeLessThanOrEqual(13);
  const gone = chosen[0]!;
  router.removeWorker(gone);
  const moved = chosen.filter((worker, token) => worker !== gone && workerOf(token, 2000) !== worker);
  expect(moved.length).toBeLessThan(chosen.length);
});
