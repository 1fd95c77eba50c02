import { describe, expect, test } from "vitest";
import { DEFAULT_WEIGHTS } from "#router-wasm";
import type { KvEvent } from "#runtime";
import { applyEvent, BLOCK_SIZE, nameOf, request, routed, type TestModel, testModel } from "../test-model.ts";
import type { RoutedWorker } from "../workers.ts";
import { DEFAULT_DISAGGREGATION } from "./options.ts";

const kvFormat = "test";
const open = (options: Parameters<typeof testModel>[0] = {}) =>
  testModel({ disaggregation: { minTokens: 64, minShare: 0.25, maxWait: 6 }, ...options });

/** Two prefill and two decode workers. */
function pools(model: TestModel) {
  const add = (name: string, role: "prefill" | "decode") =>
    model.add(name, { role, kvFormat, totalBlocks: 1000, maxBatchedTokens: 2048 });
  return {
    prefill: [add("p0", "prefill"), add("p1", "prefill")] as const,
    decode: [add("d0", "decode"), add("d1", "decode")] as const,
  };
}

const asked = (tokens: number, token?: number) => ({
  ...request(tokens, {}, token),
  remotePrefill: "possible" as const,
});

let hashes = 1n;
/** Tells the router that the worker has cached these blocks of a prompt whose tokens all equal `token`. */
function cache({ router }: TestModel, worker: RoutedWorker, token: number, blocks: number): void {
  const blockHashes = BigUint64Array.from({ length: blocks }, () => hashes++);
  const tokenIds = new Uint32Array(blocks * BLOCK_SIZE).fill(token);
  const event: KvEvent = {
    type: "stored",
    blockHashes,
    parentHash: undefined,
    tokenIds,
    blockSize: BLOCK_SIZE,
  };
  applyEvent(router, worker, event);
}

const prefillOf = (route: ReturnType<typeof routed>) => route.plan.prefill?.worker.instance.name;
const reasonOf = ({ router }: TestModel) => router.decisions.list(1)[0]!.prefillHere;
const load = ({ router }: TestModel, worker: RoutedWorker) => router.loads(worker)[0]!;

describe("a plan", () => {
  test("has a prefill worker for a long prompt, whose load is booked there until it is transferred", () => {
    const model = open();
    const { prefill, decode } = pools(model);
    const route = routed(model.router, asked(160));
    const part = route.plan.prefill!;
    expect(prefill).toContain(part.worker);
    expect(decode).toContain(route.worker);
    expect(load(model, part.worker)).toMatchObject({ activePrefillTokens: 160, activeDecodeBlocks: 10 });
    expect(load(model, route.worker)).toMatchObject({ activePrefillTokens: 0, activeDecodeBlocks: 10 });
    expect(model.router.decisions.list(1)[0]).toMatchObject({
      chosen: { name: route.worker.instance.name },
      prefill: { name: part.worker.instance.name, overlapBlocks: 0 },
      prefillHere: undefined,
      candidates: [{ name: "d0" }, { name: "d1" }],
      prefillCandidates: [
        { name: "p0", prefill: 10 * DEFAULT_WEIGHTS.prefillLoadScale },
        { name: "p1", prefill: 10 * DEFAULT_WEIGHTS.prefillLoadScale },
      ],
    });
    part.computed(0, 1_000);
    expect(load(model, part.worker)).toMatchObject({ activePrefillTokens: 0, activeDecodeBlocks: 10 });
    part.transferred(100);
    expect(load(model, part.worker)).toMatchObject({ activeDecodeBlocks: 0, activeRequests: 0 });
    expect(load(model, route.worker)).toMatchObject({ activeDecodeBlocks: 10, activeRequests: 1 });
    route.free("finished");
    part.free();
    for (const worker of [...prefill, ...decode])
      expect(load(model, worker)).toMatchObject({
        activePrefillTokens: 0,
        activeDecodeBlocks: 0,
        activeRequests: 0,
      });
  });

  test("frees both parts if it ends early", () => {
    const model = open();
    const { prefill, decode } = pools(model);
    routed(model.router, asked(160)).free("cancelled");
    for (const worker of [...prefill, ...decode])
      expect(load(model, worker)).toMatchObject({
        activePrefillTokens: 0,
        activeDecodeBlocks: 0,
        activeRequests: 0,
      });
  });

  test("books the prompt on the decode worker after all if the prefill worker fails", () => {
    const model = open();
    pools(model);
    const route = routed(model.router, asked(160));
    const { worker } = route.plan.prefill!;
    route.prefillHere();
    route.prefillHere();
    expect(route.plan.prefillHere).toBe("failed");
    expect(reasonOf(model)).toBe("failed");
    expect(load(model, worker)).toMatchObject({ activePrefillTokens: 0, activeRequests: 0 });
    expect(load(model, route.worker)).toMatchObject({ activePrefillTokens: 160 });
    route.firstToken();
    expect(load(model, route.worker)).toMatchObject({ activePrefillTokens: 0, activeDecodeBlocks: 10 });
    route.free("finished");
    expect(load(model, route.worker)).toMatchObject({ activePrefillTokens: 0, activeDecodeBlocks: 0 });
    const other = routed(model.router, asked(160));
    other.prefillHere();
    other.free("failed");
    expect(load(model, other.worker)).toMatchObject({ activePrefillTokens: 0, activeRequests: 0 });
  });

  test("leaves nothing on a worker that took the index of one that left", () => {
    const model = open();
    const { decode } = pools(model);
    const route = routed(model.router, asked(160));
    route.prefillHere();
    for (const worker of decode) model.router.removeWorker(worker);
    const late = [0, 1].map((index) => model.add(`late-${index}`, { role: "decode", kvFormat }));
    route.firstToken();
    route.free("failed");
    for (const worker of late)
      expect(load(model, worker)).toMatchObject({ activePrefillTokens: 0, activeRequests: 0 });
  });

  test("goes to the prefill worker that has most of the prompt cached, and to the least loaded decode worker", () => {
    const model = open();
    const { prefill, decode } = pools(model);
    cache(model, prefill[1], 7, 6);
    const first = routed(model.router, asked(160, 7));
    expect(prefillOf(first)).toBe("p1");
    expect(first.plan.prefill!.overlapBlocks).toBe(6);
    expect(load(model, prefill[1]).activePrefillTokens).toBe(160 - 6 * BLOCK_SIZE);
    const second = routed(model.router, asked(160));
    expect(prefillOf(second)).toBe("p0");
    expect(second.worker).not.toBe(first.worker);
    expect(decode).toContain(second.worker);
  });

  test.each([
    ["short", 63, 0],
    ["short", 160, 7],
    ["cached", 320, 16],
    [undefined, 320, 15],
  ])(
    "has none because the prompt is %s: %i tokens, of which the decode worker has %i blocks",
    (reason, tokens, blocks) => {
      const model = open();
      const { decode } = pools(model);
      cache(model, decode[1], 9, blocks);
      const route = routed(model.router, asked(tokens, 9));
      expect(reasonOf(model)).toBe(reason);
      expect(route.plan.prefill === undefined).toBe(reason !== undefined);
      if (reason !== undefined && blocks > 0) expect(route.worker).toBe(decode[1]);
    },
  );

  test("has none if the prefill workers have too much to do, compared with the decode workers", () => {
    const model = open();
    const { decode } = pools(model);
    const routes = Array.from({ length: 20 }, () => routed(model.router, asked(320)));
    const remote = routes.filter(({ plan }) => plan.prefill !== undefined);
    // On each prefill worker, five times its own prompt may wait; then decode workers compute some, and are busy too.
    expect(remote.length).toBeGreaterThanOrEqual(10);
    expect(remote.length).toBeLessThan(20);
    expect(model.router.decisions.list(20).some(({ prefillHere }) => prefillHere === "slower")).toBe(true);
    for (const worker of decode) expect(load(model, worker).activePrefillTokens).toBeGreaterThan(0);
  });

  test("has none without a ready prefill worker of the decode worker's format", () => {
    const model = open();
    model.add("d0", { role: "decode", kvFormat });
    const other = model.add("p0", { role: "prefill", kvFormat: "other" });
    expect(prefillOf(routed(model.router, asked(160)))).toBeUndefined();
    expect(reasonOf(model)).toBe("none_ready");
    const same = model.add("p1", { role: "prefill", kvFormat });
    expect(prefillOf(routed(model.router, asked(160)))).toBe("p1");
    model.setReady(same, false);
    expect(prefillOf(routed(model.router, asked(160)))).toBeUndefined();
    model.router.removeWorker(same);
    model.router.removeWorker(other);
    routed(model.router, asked(160));
    expect(reasonOf(model)).toBeUndefined();
  });

  test("has none for an aggregated worker, which is chosen if it has the prompt cached", () => {
    const model = open();
    pools(model);
    const aggregated = model.add("a0", { kvFormat, totalBlocks: 1000 });
    cache(model, aggregated, 5, 9);
    const route = routed(model.router, asked(160, 5));
    expect(route.worker).toBe(aggregated);
    expect(route.plan.prefill).toBeUndefined();
    const other = routed(model.router, asked(160));
    expect(prefillOf(other)).toBeDefined();
    expect(other.worker).not.toBe(aggregated);
  });

  test("has none for a request that does not allow it", () => {
    const model = open();
    pools(model);
    expect(routed(model.router, request(160)).plan.prefill).toBeUndefined();
    expect(reasonOf(model)).toBe("unsuited");
  });

  test("has none after a failure, unless no worker does everything itself", () => {
    const model = open();
    pools(model);
    const again = { ...asked(160), remotePrefill: "avoided" as const };
    expect(routed(model.router, again).plan.prefill).toBeUndefined();
    const needy = open();
    const add = (name: string, role: "prefill" | "decode") =>
      needy.add(name, { role, kvFormat, needsPrefill: role === "decode", totalBlocks: 1000 });
    add("d0", "decode");
    expect(needy.router.route(asked(160))).toBe("none-ready");
    const prefill = add("p0", "prefill");
    for (const each of [asked(160), asked(16), again])
      expect(prefillOf(routed(needy.router, each))).toBe("p0");
    expect(needy.router.route(request(160))).toBe("none-ready");
    needy.add("a0");
    expect(nameOf(routed(needy.router, again))).toBe("a0");
    expect(nameOf(routed(needy.router, request(160)))).toBe("a0");
    expect(nameOf(routed(needy.router, asked(160)))).toBe("d0");
    needy.setReady(prefill, false);
    expect(nameOf(routed(needy.router, asked(160)))).toBe("a0");
  });

  test.each([
    [true, undefined],
    [false, "short"],
  ])("predicts nothing for a decode worker that gets no KV: %s", (isPrefillOnly, reason) => {
    const model = open();
    pools(model);
    const first = routed(model.router, { ...asked(160, 5), isPrefillOnly });
    first.plan.prefill!.computed(0, 1);
    first.free("finished");
    const second = routed(model.router, asked(160, 5));
    expect(reasonOf(model)).toBe(reason);
    // The prefill worker has it in any case.
    if (reason === undefined) expect(second.plan.prefill!.overlapBlocks).toBe(10);
  });

  test("keeps to tags, to workers that have not failed it, and to a named decode worker", () => {
    const model = open();
    const { prefill } = pools(model);
    const tagged = model.add("p-eu", { role: "prefill", kvFormat, tags: ["region=eu"] });
    model.add("d-eu", { role: "decode", kvFormat, tags: ["region=eu"] });
    const tags = { ...asked(160), preferences: { ...asked(160).preferences, tags: ["region=eu"] } };
    const route = routed(model.router, tags);
    expect([nameOf(route), prefillOf(route)]).toEqual(["d-eu", "p-eu"]);
    expect(prefillOf(routed(model.router, { ...tags, excluded: [tagged] }))).toBeUndefined();
    const named = { ...asked(160), preferences: { ...asked(160).preferences, worker: "d1" } };
    const second = routed(model.router, { ...named, excluded: [prefill[0], tagged] });
    expect([nameOf(second), prefillOf(second)]).toEqual(["d1", "p1"]);
  });

  test.each(["kv", "round-robin", "random", "least-loaded", "power-of-two", "prefix-hash"] as const)(
    "spreads over both pools by the policy %s, and every booking is freed",
    (policy) => {
      const model = open({
        policy,
        disaggregation: { ...DEFAULT_DISAGGREGATION, minTokens: 64, maxWait: 1000 },
      });
      const { prefill, decode } = pools(model);
      const routes = Array.from({ length: 40 }, () => routed(model.router, asked(160)));
      for (const pool of [prefill, decode]) {
        const counts = pool.map((worker) => load(model, worker).activeRequests);
        expect(counts[0]! + counts[1]!).toBe(40);
        for (const count of counts) expect(count).toBeGreaterThan(5);
        if (policy === "round-robin") expect(counts).toEqual([20, 20]);
      }
      for (const route of routes) route.free("finished");
      for (const worker of [...prefill, ...decode])
        expect(load(model, worker)).toMatchObject({
          activePrefillTokens: 0,
          activeDecodeBlocks: 0,
          activeRequests: 0,
        });
    },
  );
});
