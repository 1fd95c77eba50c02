import { describe, expect, it, onTestFinished, vi } from "vitest";
import { DYNAMO_WEIGHTS } from "#router-wasm";
import { tagsOf } from "./filters/tags.ts";
import { NO_THRESHOLDS } from "./load/thresholds.ts";
import { exactPrompt, inexactPrompt } from "./prompt.ts";
import { applyEvent, nameOf, request, routed, testModel } from "./test-model.ts";
import type { RoutedWorker } from "./workers.ts";

const stored = (token: number, blocks: number) =>
  ({
    type: "stored",
    blockHashes: BigUint64Array.from({ length: blocks }, (_, index) => BigInt(token * 1000 + index)),
    parentHash: undefined,
    tokenIds: new Uint32Array(blocks * 16).fill(token),
    blockSize: 16,
  }) as const;

describe("routing preferences", () => {
  it("can name a worker by name or id", () => {
    const { router, add, setReady } = testModel();
    const [, two] = [add("one"), add("two")];
    expect(nameOf(router.route(request(32, { worker: "two" })))).toBe("two");
    expect(nameOf(router.route(request(32, { worker: two.instance.id })))).toBe("two");
    setReady(two, false);
    expect(router.route(request(32, { worker: "two" }))).toBe("none-ready");
    router.removeWorker(two);
    expect(router.route(request(32, { worker: "two" }))).toBe("none-ready");
  });

  it("can require tags, all of which a worker must have", () => {
    const { router, add } = testModel();
    add("plain");
    add("one", { tags: ["gpu=h100", "zone=a"] });
    const two = add("two", { tags: ["gpu=h100", "zone=b"] });
    const asks = (...tags: string[]) => nameOf(router.route(request(32, { tags })));
    expect(asks("gpu=h100", "zone=b")).toBe("two");
    expect(asks("zone=a")).toBe("one");
    expect(asks("gpu=h100", "zone=c")).toBe("none-ready");
    expect(tagsOf(router.workers.all())).toEqual(["gpu=h100", "zone=a", "zone=b"]);
    router.removeWorker(two);
    expect(asks("zone=b")).toBe("none-ready");
    add("three", { tags: ["zone=b"] });
    expect(asks("zone=b")).toBe("three");
    expect(nameOf(router.route(request(32, { tags: ["zone=a"], worker: "plain" })))).toBe("none-ready");
  });

  it("can override the overlap credit", () => {
    const { router, add } = testModel({ weights: { activeRequestWeight: 0 } });
    const [busy] = [add("busy"), add("idle")];
    applyEvent(router, busy, stored(1, 4), 0);
    routed(router, request(16, { worker: "busy" }));
    expect(nameOf(router.route(request(64, {}, 1)))).toBe("busy");
    expect(nameOf(router.route(request(64, { overlapCredit: 0 }, 1)))).toBe("idle");
  });
});

describe("a session", () => {
  /** A worker to which a session is bound, and a less busy one. */
  function boundSession(mode: "off" | "soft" | "hard") {
    const thresholds = { ...NO_THRESHOLDS, busyPrefillTokens: { tokens: 1000 } };
    const model = testModel({ affinity: { mode, ttlMs: 600_000 }, thresholds });
    const [bound, other] = [model.add("bound"), model.add("other")];
    model.setReady(other, false);
    const route = routed(model.router, request(512, { session: "s" }));
    model.setReady(other, true);
    const ask = (excluded: RoutedWorker[] = []) =>
      nameOf(model.router.route({ ...request(64, { session: "s" }), excluded }));
    return { ...model, bound, other, route, ask };
  }

  it("is ignored if affinity is off", () => {
    expect(boundSession("off").ask()).toBe("other");
  });

  it("goes to the worker of its last request, even if another is cheaper", () => {
    for (const mode of ["soft", "hard"] as const) expect(boundSession(mode).ask()).toBe("bound");
  });

  it("moves, if soft, while its worker is busy, and stays with the new one", () => {
    const { router, route, ask } = boundSession("soft");
    routed(router, request(600, { worker: "bound" }));
    expect(ask()).toBe("other");
    route.free("finished");
    expect(ask()).toBe("other");
  });

  it("waits, if hard, while its worker is busy or not ready", () => {
    const { router, bound, ask, setReady } = boundSession("hard");
    const more = routed(router, request(600, { worker: "bound" }));
    expect(ask()).toBe("all-busy");
    more.free("finished");
    setReady(bound, false);
    expect(ask()).toBe("none-ready");
    setReady(bound, true);
    expect(ask()).toBe("bound");
  });

  it("moves when its worker is removed or has refused the request", () => {
    for (const mode of ["soft", "hard"] as const) {
      const { router, bound, other, ask, add } = boundSession(mode);
      expect(ask([bound])).toBe("other");
      expect(ask()).toBe("other");
      router.removeWorker(other);
      expect(ask()).toBe("bound");
      router.removeWorker(bound);
      add("third");
      expect(ask()).toBe("third");
    }
  });

  it("follows a request that names another worker", () => {
    const { router, ask } = boundSession("hard");
    expect(nameOf(router.route(request(64, { session: "s", worker: "other" })))).toBe("other");
    expect(ask()).toBe("other");
  });
});

describe("data-parallel ranks", () => {
  it("are chosen by their own caches, and named in the decision", () => {
    const { router, add } = testModel();
    const worker = add("wide", { dataParallelSize: 3 });
    add("narrow");
    applyEvent(router, worker, stored(1, 4), 2);
    applyEvent(router, worker, stored(2, 4), 9);
    const route = routed(router, request(64, {}, 1));
    expect([route.worker.instance.name, route.rank, route.overlapBlocks]).toEqual(["wide", 2, 4]);
    expect(router.loads(worker).map(({ activeRequests }) => activeRequests)).toEqual([0, 0, 1]);
    const [decision] = router.decisions.list(1);
    expect(decision!.chosen).toMatchObject({ name: "wide", rank: 2 });
    expect(decision!.candidates.map(({ name, rank }) => `${name}/${rank}`)).toEqual([
      "wide/0",
      "wide/1",
      "wide/2",
      "narrow/0",
    ]);
  });

  it("of a named worker are the only candidates", () => {
    const { router, add } = testModel();
    add("narrow");
    const wide = add("wide", { dataParallelSize: 2 });
    const ranks = [0, 1, 2, 3].map(() => routed(router, request(160, { worker: "wide" })).rank);
    expect(ranks.sort()).toEqual([0, 0, 1, 1]);
    router.removeWorker(wide);
    expect(nameOf(router.route(request(32)))).toBe("narrow");
    expect(router.stats().workers).toBe(1);
  });
});

describe("busy thresholds", () => {
  it("can be a number of tokens, a share of a step, or a share of the blocks", () => {
    for (const thresholds of [
      { ...NO_THRESHOLDS, busyPrefillTokens: { tokens: 160 } },
      { ...NO_THRESHOLDS, busyPrefillTokens: { share: 160 / 256 } },
      { ...NO_THRESHOLDS, busyDecodeBlocks: 0.1 },
    ]) {
      const { router, add } = testModel({ thresholds });
      add("one");
      routed(router, request(144));
      const second = routed(router, request(16));
      expect(router.route(request(16))).toBe("all-busy");
      second.free("finished");
      expect(nameOf(router.route(request(16)))).toBe("one");
    }
  });

  it("can be changed while requests are running", () => {
    const { router, add } = testModel();
    add("one");
    routed(router, request(160));
    router.thresholds = { ...NO_THRESHOLDS, busyPrefillTokens: { tokens: 100 } };
    expect(router.route(request(16))).toBe("all-busy");
    router.thresholds = NO_THRESHOLDS;
    expect(nameOf(router.route(request(16)))).toBe("one");
  });
});

describe("the decision log", () => {
  it("has every candidate's terms and the outcome, but no part of the prompt", () => {
    const { router, add } = testModel({ weights: DYNAMO_WEIGHTS });
    const one = add("one");
    add("two");
    applyEvent(router, one, stored(424_242, 3), 0);
    const asked = request(70, {}, 424_242);
    const route = routed(router, asked);
    expect(router.decisions.list(1)[0]!.outcome).toBe("running");
    route.report(48);
    route.free("finished");
    const [record] = router.decisions.of(asked.requestId);
    expect(record).toMatchObject({
      requestId: asked.requestId,
      chosen: { name: "one", id: one.instance.id, rank: 0 },
      promptTokens: 70,
      overlapBlocks: 3,
      cost: 70 / 16 - 3,
      outcome: "finished",
      reportedCachedTokens: 48,
      candidates: [
        { name: "one", overlapBlocks: 3, prefill: 70 / 16 - 3, decode: 0, total: 70 / 16 - 3 },
        { name: "two", overlapBlocks: 0, prefill: 70 / 16, decode: 0, total: 70 / 16 },
      ],
    });
    expect(JSON.stringify(record)).not.toContain("424242");
  });

  it("keeps the most recent decisions, newest first, and ignores late updates to others", () => {
    const { router, add } = testModel({ decisionLog: 3 });
    add("one");
    const asked = [1, 2, 3, 4, 5].map(() => request(16));
    const routes = asked.map((each) => routed(router, each));
    routes[0]!.report(16);
    routes[0]!.free("failed");
    routes[3]!.free("cancelled");
    const kept = router.decisions.list(10);
    expect(kept.map(({ requestId }) => requestId)).toEqual(
      asked
        .slice(2)
        .reverse()
        .map((each) => each.requestId),
    );
    expect(kept.map(({ outcome }) => outcome)).toEqual(["running", "cancelled", "running"]);
    expect(router.decisions.list(1)).toHaveLength(1);
    expect(router.decisions.of(asked[0]!.requestId)).toEqual([]);
  });

  it("names the workers of that time, even if their slots have been reused", () => {
    const { router, add } = testModel();
    const one = add("one");
    routed(router, request(16));
    router.removeWorker(one);
    for (let index = 0; index < 40; index++) add(`later ${index}`);
    routed(router, request(16));
    const [second, first] = router.decisions.list(2);
    expect(first!.candidates.map(({ name }) => name)).toEqual(["one"]);
    expect(second!.candidates).toHaveLength(40);
  });

  it("can be turned off", () => {
    const { router, add } = testModel({ decisionLog: 0 });
    add("one");
    const route = routed(router, request(16));
    route.report(0);
    route.free("finished");
    expect(router.decisions.list(10)).toEqual([]);
  });
});

describe("drift", () => {
  /** Sends requests one after the other; the engine reports `cached` tokens for each. */
  function send({ router }: ReturnType<typeof testModel>, count: number, cached: number, token = 1) {
    for (let index = 0; index < count; index++) {
      const route = routed(router, request(64, {}, token));
      route.report(cached);
      route.free("finished");
    }
  }

  it("is not detected if predictions are right to within a block", async () => {
    const model = testModel();
    const worker = model.add("one");
    applyEvent(model.router, worker, stored(1, 4), 0);
    send(model, 50, 63);
    send(model, 50, 48);
    expect(model.lines).toEqual([]);
    const metrics = await model.scrape();
    const labels = '{model="test",worker="one",rank="0"}';
    expect(metrics).toContain(`stator_router_predicted_cached_tokens_total${labels} 6400`);
    expect(metrics).toContain(`stator_router_reported_cached_tokens_total${labels} ${50 * 63 + 50 * 48}`);
    const drift = (name: string, direction: string) =>
      `stator_router_cache_drift_tokens_${name}{model="test",direction="${direction}"}`;
    expect(metrics).toContain(`${drift("count", "missing")} 100`);
    expect(metrics).toContain(`${drift("sum", "missing")} ${50 * 1 + 50 * 16}`);
    expect(metrics).toContain(`${drift("count", "unexpected")} 100`);
    expect(metrics).toContain(`${drift("sum", "unexpected")} 0`);
  });

  it("is never negative in either direction", async () => {
    const model = testModel();
    model.add("one");
    send(model, 3, 48);
    const lines = (await model.scrape()).split("\n").filter((line) => line.includes("cache_drift_tokens"));
    expect(lines.filter((line) => /le="-|\} -/.test(line))).toEqual([]);
    expect(lines).toContain('stator_router_cache_drift_tokens_sum{model="test",direction="unexpected"} 144');
  });

  it("warns once per episode if no event has arrived", async () => {
    const model = testModel();
    const worker = model.add("one");
    send(model, 19, 48);
    expect(model.lines).toEqual([]);
    send(model, 30, 48);
    expect(model.lines).toHaveLength(1);
    expect(model.lines[0]).toMatch(/no KV event has arrived.*worker=one cause=events-missing/);
    expect(await model.scrape()).toContain('cause="events-missing"} 1');
    applyEvent(model.router, worker, stored(1, 4), 0);
    send(model, 1, 48);
    expect(await model.scrape()).not.toContain('cause="events-missing"');
    send(model, 40, 48, 2);
    expect(await model.scrape()).toContain('cause="never-matches"} 1');
  });

  it("is attributed to a different block size", () => {
    const model = testModel();
    const worker = model.add("one");
    applyEvent(
      model.router,
      worker,
      { ...stored(1, 4), blockHashes: BigUint64Array.of(1n, 2n), blockSize: 32 },
      0,
    );
    send(model, 20, 48);
    expect(model.lines[0]).toMatch(/cause=block-size blockSize=16 eventBlockSize=32/);
  });

  it("is attributed to lost removals", () => {
    const model = testModel();
    const worker = model.add("one");
    applyEvent(model.router, worker, stored(1, 4), 0);
    send(model, 19, 0);
    expect(model.lines).toEqual([]);
    send(model, 1, 0);
    expect(model.lines[0]).toMatch(/removals were lost.*cause=removals-lost/);
  });

  it("is attributed to lost removals if only some predicted blocks are missing", () => {
    const model = testModel();
    const worker = model.add("one");
    applyEvent(model.router, worker, stored(1, 4), 0);
    for (let index = 0; index < 20; index++) send(model, 1, index % 2 === 0 ? 32 : 64);
    expect(model.lines.join()).toContain("cause=removals-lost");
  });

  it("is not detected if a tenth of the predicted blocks is missing", () => {
    const model = testModel();
    const worker = model.add("one");
    applyEvent(model.router, worker, stored(1, 4), 0);
    for (let index = 0; index < 200; index++) send(model, 1, index % 5 === 0 ? 32 : 64);
    expect(model.lines).toEqual([]);
  });

  it("warns once while its measure fluctuates around the threshold, until it is clearly below", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const model = testModel();
    const worker = model.add("one");
    applyEvent(model.router, worker, stored(1, 4), 0);
    for (let round = 0; round < 20; round++) {
      send(model, 10, 32);
      send(model, 15, 64);
      vi.advanceTimersByTime(61_000);
    }
    expect(model.lines).toHaveLength(1);
    expect(await model.scrape()).toContain('cause="removals-lost"} 1');
    send(model, 60, 64);
    expect(await model.scrape()).not.toContain("removals-lost");
    send(model, 30, 0);
    expect(model.lines).toHaveLength(2);
    send(model, 90, 64);
    // Too soon for another warning; if the drift persists, it follows after a minute.
    send(model, 30, 0);
    expect(model.lines).toHaveLength(2);
    vi.advanceTimersByTime(61_000);
    send(model, 1, 0);
    expect(model.lines).toHaveLength(3);
  });

  it("is attributed to lost removals if a worker stores more blocks than it has", () => {
    const model = testModel();
    const worker = model.add("one", { totalBlocks: 10 });
    for (let token = 1; token <= 11; token++) applyEvent(model.router, worker, stored(token, 1), 0);
    send(model, 1, 16);
    expect(model.lines).toEqual([]);
    applyEvent(model.router, worker, stored(12, 1), 0);
    send(model, 1, 16);
    expect(model.lines[0]).toContain("cause=removals-lost");
  });

  it("stops predictions for a worker without events whose engine never reports cached tokens", async () => {
    const model = testModel();
    const worker = model.add("one");
    model.router.predictOnly(worker);
    const burst = Array.from({ length: 64 }, () => routed(model.router, request(64, {}, 1)));
    for (const route of burst) route.report(0);
    send(model, 18, 0);
    expect(model.lines).toHaveLength(1);
    expect(routed(model.router, request(64, {}, 1)).overlapBlocks).toBe(4);
    send(model, 3, 0);
    expect(model.lines[1]).toMatch(/does not keep or report a prefix cache.*cause=no-prefix-cache/);
    expect(routed(model.router, request(64, {}, 1)).overlapBlocks).toBe(0);
    expect(routed(model.router, request(64, {}, 1)).overlapBlocks).toBe(0);
    send(model, 1, 48);
    expect(await model.scrape()).not.toContain("no-prefix-cache");
    routed(model.router, request(64, {}, 1));
    expect(routed(model.router, request(64, {}, 1)).overlapBlocks).toBe(4);
  });

  it("ignores prompts that are not in the worker's own tokens", async () => {
    const model = testModel();
    model.add("one");
    for (let index = 0; index < 50; index++) {
      const asked = request(64, {}, 1);
      const route = routed(model.router, { ...asked, prompt: inexactPrompt(asked.prompt.tokens) });
      route.report(48);
      route.free("finished");
    }
    expect(model.lines).toEqual([]);
    expect(await model.scrape()).not.toContain('worker="one"');
  });

  it("is not detected in a burst of requests with the same new prompt", () => {
    const model = testModel();
    model.add("one");
    const routes = Array.from({ length: 64 }, () => routed(model.router, request(64, {}, 1)));
    for (const route of routes) route.report(48);
    expect(model.lines).toEqual([]);
  });

  it("is forgotten when the worker leaves", async () => {
    const model = testModel();
    const worker = model.add("one");
    send(model, 20, 48);
    const late = routed(model.router, request(64));
    model.router.removeWorker(worker);
    late.report(48);
    expect(await model.scrape()).not.toContain('worker="one"');
  });
});

describe("running requests", () => {
  /** Workers chosen for a burst that shares two cached blocks, on two engines with this many sequences. */
  function burst(maxSequences: number): string[] {
    const { router, add } = testModel();
    const card = { maxSequences, totalBlocks: 10_000, maxBatchedTokens: 8192 };
    applyEvent(router, add("cached", card), stored(1, 2));
    add("other", card);
    const prompt = new Uint32Array(48).fill(1, 0, 32);
    return Array.from({ length: 4 }, (_, i) => {
      const route = routed(router, { ...request(48), prompt: exactPrompt(prompt.slice().fill(i + 2, 32)) });
      route.firstToken();
      return nameOf(route);
    });
  }

  it("outweigh a short cached prefix on engines with few sequences", () => {
    expect(burst(4).filter((name) => name === "cached")).toHaveLength(2);
  });

  it("weigh little on engines with many sequences", () => {
    expect(burst(1024)).toEqual(Array(4).fill("cached"));
  });
});

describe("the index's limits", () => {
  it("shut out a worker that does not fit, and log it", () => {
    const limits = { maxWorkers: 3, maxBlocks: 1000, maxMemoryBytes: 2 ** 24 };
    const { router, add, lines } = testModel({ limits });
    add("one", { dataParallelSize: 2 });
    add("two", { dataParallelSize: 2 });
    add("three");
    expect(lines.join()).toMatch(/--index-workers.*worker=two/);
    const names = new Set(Array.from({ length: 6 }, () => nameOf(router.route(request(64)))));
    expect([...names].sort()).toEqual(["one", "three"]);
    expect(nameOf(router.route(request(64, { worker: "two" })))).toBe("none-ready");
  });

  it("admit shut-out workers when others leave, in order of arrival, as if they joined then", () => {
    const limits = { maxWorkers: 2, maxBlocks: 1000, maxMemoryBytes: 2 ** 24 };
    const thresholds = { ...NO_THRESHOLDS, busyPrefillTokens: { tokens: 64 } };
    const { router, add, lines, setReady } = testModel({ limits, thresholds });
    const admitted: string[] = [];
    router.onAdmitted = ({ instance }) => void admitted.push(instance.name);
    const one = add("one");
    add("two");
    const wide = add("wide", { dataParallelSize: 2 });
    const three = add("three");
    const four = add("four");
    setReady(four, false);
    expect([wide, three, four, one].map((worker) => router.isShutOut(worker))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    router.removeWorker(one);
    expect(admitted).toEqual(["three"]);
    expect(lines.at(-1)).toMatch(/info .*now gets requests worker=three/);
    expect(nameOf(router.route(request(64, { worker: "three" })))).toBe("three");
    expect(router.route(request(64, { worker: "three" }))).toBe("all-busy");
    router.removeWorker(wide);
    router.removeWorker(three);
    expect(admitted).toEqual(["three", "four"]);
    expect(router.route(request(64, { worker: "four" }))).toBe("none-ready");
    setReady(four, true);
    expect(nameOf(router.route(request(64, { worker: "four" })))).toBe("four");
  });

  it("do not affect predictions for an admitted worker that was found to send no events", () => {
    const limits = { maxWorkers: 1, maxBlocks: 1000, maxMemoryBytes: 2 ** 24 };
    const model = testModel({ limits, predictions: { eventTtlSeconds: 0, onlyTtlSeconds: 600 } });
    const { router, add } = model;
    const first = add("first");
    const second = add("second");
    router.predictOnly(second);
    router.removeWorker(first);
    const ask = () => {
      const route = routed(router, request(160, {}, 7));
      route.free("finished");
      return [nameOf(route), route.overlapBlocks];
    };
    expect(ask()).toEqual(["second", 0]);
    expect(ask()).toEqual(["second", 10]);
  });
});
