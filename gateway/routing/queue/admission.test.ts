import { describe, expect, it } from "vitest";
import { type ApiError, noWorkerReady } from "../../kernel/errors.ts";
import { NO_THRESHOLDS } from "../load/thresholds.ts";
import { DEFAULT_ROUTING, type RoutingOptions } from "../options.ts";
import type { Route, RouteRequest } from "../route.ts";
import { applyEvent, request, testModel } from "../test-model.ts";
import type { RoutedWorker } from "../workers.ts";
import { Admission } from "./admission.ts";
import type { QueueOptions } from "./options.ts";

/** Requests wait once a worker has one step of 256 tokens pending. */
const queueing = { ...NO_THRESHOLDS, queuePrefillSteps: 1 };

function open(queue: Partial<QueueOptions> = {}, routing: Partial<RoutingOptions> = {}) {
  const options = { ...DEFAULT_ROUTING.queue, ...queue };
  const model = testModel({ thresholds: queueing, queue: options, ...routing });
  return { ...model, admission: new Admission("test", model.router, options, model.metrics) };
}

/** Applies for a route, and returns the outcome. */
function apply(admission: Admission<RoutedWorker>, asked: RouteRequest<RoutedWorker>) {
  const outcome = Promise.withResolvers<Route<RoutedWorker>>();
  outcome.promise.catch(() => {});
  let route: Route<RoutedWorker> | undefined;
  const pending = admission.apply(asked, {
    onRoute(given) {
      route = given;
      outcome.resolve(given);
    },
    onRefused: (error) => outcome.reject(error),
  });
  return {
    pending,
    outcome: outcome.promise,
    get route() {
      return route;
    },
  };
}

/** Waits for work deferred to the end of this turn. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("admission", () => {
  it("returns a route at once if a worker has capacity, and refuses if none is ready", async () => {
    const { admission, add } = open();
    const refused = apply(admission, request(32));
    await expect(refused.outcome).rejects.toMatchObject({ status: 503, code: "no_worker_ready" });
    add("one");
    const { route, pending } = apply(admission, request(32));
    expect(route?.worker.instance.name).toBe("one");
    expect(pending).toBeUndefined();
  });

  it("says which preference no ready worker meets", async () => {
    const { admission, add, setReady } = open({}, { affinity: { mode: "hard", ttlMs: 60_000 } });
    const one = add("one", { tags: ["gpu=h100"] });
    add("two");
    apply(admission, request(32, { worker: "one", session: "s" }));
    setReady(one, false);
    for (const [preferences, message] of [
      [{ worker: "one" }, "can only go to the worker 'one', which it names"],
      [{ tags: ["gpu=h100"] }, "can only go to workers with the tags it names: gpu=h100"],
      [{ session: "s" }, "can only go to the worker that its session is bound to"],
    ] as const) {
      await expect(apply(admission, request(32, preferences)).outcome).rejects.toThrow(message);
    }
  });

  it("queues requests in order of arrival while every worker has enough prefill", async () => {
    const { admission, add, scrape } = open();
    add("one");
    const first = apply(admission, request(256));
    const second = apply(admission, request(256));
    const third = apply(admission, request(256));
    expect(admission.waiting).toBe(2);
    expect(second.route).toBeUndefined();
    first.route!.firstToken();
    await settled();
    expect(second.route).toBeDefined();
    expect(third.route).toBeUndefined();
    second.route!.free("finished");
    expect((await third.outcome).worker.instance.name).toBe("one");
    expect(admission.waiting).toBe(0);
    expect(await scrape()).toContain('stator_router_queue_wait_seconds_count{model="test"} 2');
  });

  it("serves the least uncached work first under the `shortest` policy", async () => {
    const { admission, add, router } = open({ policy: "shortest" });
    const worker = add("one");
    applyEvent(
      router,
      worker,
      {
        type: "stored",
        blockHashes: BigUint64Array.from({ length: 12 }, (_, index) => BigInt(index + 1)),
        parentHash: undefined,
        tokenIds: new Uint32Array(192).fill(7),
        blockSize: 16,
      },
      0,
    );
    const first = apply(admission, request(256));
    const long = apply(admission, request(100));
    const cached = apply(admission, request(200, {}, 7));
    const short = apply(admission, request(50));
    first.route!.free("finished");
    await settled();
    // 8, 50 and 100 uncached tokens: all fit under one step.
    expect([long, cached, short].map(({ route }) => route !== undefined)).toEqual([true, true, true]);
    const order = router.decisions.list(3).map(({ promptTokens }) => promptTokens);
    expect(order).toEqual([100, 50, 200]);
  });

  it("serves higher priorities first, and tenants in turn", async () => {
    const { admission, add } = open();
    add("one");
    let running = apply(admission, request(256)).route!;
    const waiting = [
      { tenant: "a" },
      { tenant: "a" },
      { tenant: "a" },
      { tenant: "b" },
      { tenant: "b" },
      { tenant: "c", priority: 5 },
    ].map((preferences) => apply(admission, request(256, preferences)));
    const served: number[] = [];
    while (served.length < waiting.length) {
      running.free("finished");
      await settled();
      const next = waiting.findIndex(({ route }, index) => route !== undefined && !served.includes(index));
      served.push(next);
      running = waiting[next]!.route!;
    }
    expect(served).toEqual([5, 0, 3, 1, 4, 2]);
  });

  it("does not let a request for a busy worker hold up requests for others", async () => {
    const { admission, add } = open();
    add("one");
    add("two");
    const one = apply(admission, request(256, { worker: "one" }));
    const waits = apply(admission, request(256, { worker: "one" }));
    expect(admission.waiting).toBe(1);
    const free = apply(admission, request(256));
    await settled();
    expect(free.route?.worker.instance.name).toBe("two");
    expect(waits.route).toBeUndefined();
    one.route!.firstToken();
    expect((await waits.outcome).worker.instance.name).toBe("one");
  });

  it("holds a hard session's request for its worker without holding up other sessions", async () => {
    const { admission, add, router } = open({}, { affinity: { mode: "hard", ttlMs: 60_000 } });
    const one = add("one");
    const first = apply(admission, request(256, { session: "s" }));
    add("two");
    const waits = apply(admission, request(256, { session: "s" }));
    const other = apply(admission, request(256, { session: "t" }));
    await settled();
    expect([waits.route, other.route?.worker.instance.name]).toEqual([undefined, "two"]);
    other.route!.free("finished");
    await settled();
    expect(waits.route).toBeUndefined();
    router.removeWorker(one);
    expect((await waits.outcome).worker.instance.name).toBe("two");
    first.route!.free("failed");
  });

  it("refuses requests when the queue is full, except for a higher priority", async () => {
    const { admission, add, scrape } = open({ limit: 1 });
    add("one");
    apply(admission, request(256));
    const waits = apply(admission, request(256));
    const full = apply(admission, request(256));
    await expect(full.outcome).rejects.toMatchObject({ status: 503, code: "queue_full" });
    const urgent = apply(admission, request(256, { priority: 1 }));
    await expect(waits.outcome).rejects.toMatchObject({ status: 503, code: "queue_displaced" });
    expect(urgent.pending).toBeDefined();
    const metrics = await scrape();
    expect(metrics).toContain('stator_router_refusals_total{model="test",reason="queue_full"} 1');
    expect(metrics).toContain('stator_router_refusals_total{model="test",reason="displaced"} 1');
  });

  it("reports a request whose own prompts fill the queue", async () => {
    const { admission, add } = open({ limit: 2 });
    add("one");
    const asked = { ...request(256), requestId: "many" };
    const [, , , last] = [1, 2, 3, 4].map(() => apply(admission, asked));
    const error: ApiError = await last!.outcome.then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error).toMatchObject({ status: 503, code: "queue_full", headers: {} });
    expect(error.message).toMatch(/it fills all 2 places of the queue \(--queue-limit\) itself/);
    await expect(apply(admission, request(256)).outcome).rejects.toThrow("is full: 2 requests are waiting");
  });

  it("never sends a retry-after above the longest wait", async () => {
    const { admission, add, router } = open({ limit: 1, timeoutMs: 5000 });
    add("one");
    apply(admission, request(256));
    // Only one request has ended in a long time, so the next end seems far off.
    router.drainRate.count(performance.now() - 100_000);
    apply(admission, request(256));
    const full = apply(admission, request(256));
    await expect(full.outcome).rejects.toMatchObject({ headers: { "retry-after": "5" } });
  });

  it("ends a wait with 503 after the queue timeout, and with 504 at the request's deadline", async () => {
    const { admission, add } = open({ timeoutMs: 30 });
    add("one");
    apply(admission, request(256));
    const waits = apply(admission, request(256));
    const hurries = apply(admission, request(256, { deadlineAt: performance.now() + 10 }));
    const late = apply(admission, request(256, { deadlineAt: performance.now() - 1 }));
    await expect(late.outcome).rejects.toMatchObject({ status: 504, code: "deadline_exceeded" });
    await expect(hurries.outcome).rejects.toMatchObject({ status: 504, code: "deadline_exceeded" });
    const error: ApiError = await waits.outcome.then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error).toMatchObject({ status: 503, code: "queue_timeout" });
    expect(Number(error.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expect(admission.waiting).toBe(0);
  });

  it("drops requests that leave", async () => {
    const { admission, add } = open();
    add("one");
    const first = apply(admission, request(256));
    const leaves = apply(admission, request(256));
    const stays = apply(admission, request(256));
    leaves.pending!.leave();
    expect(admission.waiting).toBe(1);
    first.route!.free("cancelled");
    await stays.outcome;
    expect(leaves.route).toBeUndefined();
  });

  it("serves the queue when a worker joins or becomes ready, and when thresholds change", async () => {
    const { admission, add, router, setReady } = open();
    const one = add("one");
    apply(admission, request(256));
    const joined = apply(admission, request(256));
    add("two");
    expect((await joined.outcome).worker.instance.name).toBe("two");
    setReady(one, false);
    const ready = apply(admission, request(256, { worker: "two" }));
    add("three");
    await settled();
    expect(ready.route).toBeUndefined();
    router.thresholds = NO_THRESHOLDS;
    expect((await ready.outcome).worker.instance.name).toBe("two");
  });

  it("records refused and cancelled requests in the decision log, without candidates if none were priced", async () => {
    const { admission, add, router } = open({ limit: 1, timeoutMs: 20 });
    const refused = (reason: string) => ({ outcome: "refused", reason, chosen: undefined });
    const last = () => router.decisions.list(1)[0];
    apply(admission, request(256));
    expect(last()).toMatchObject({ ...refused("none_ready"), candidates: [] });
    add("one");
    apply(admission, request(256));
    expect(last()).toMatchObject({ outcome: "running", reason: undefined });
    apply(admission, request(10, { deadlineAt: performance.now() - 1 }));
    expect(last()).toMatchObject({
      ...refused("deadline"),
      promptTokens: 10,
      candidates: [],
      overlapBlocks: 0,
    });
    const leaves = apply(admission, request(20));
    leaves.pending!.leave();
    expect(last()).toMatchObject({ outcome: "cancelled", reason: undefined, promptTokens: 20 });
    const waits = apply(admission, request(30));
    apply(admission, request(40));
    expect(last()).toMatchObject({ ...refused("queue_full"), promptTokens: 40 });
    const urgent = apply(admission, request(50, { priority: 1 }));
    await expect(waits.outcome).rejects.toThrow();
    expect(last()).toMatchObject({ ...refused("displaced"), promptTokens: 30 });
    await expect(urgent.outcome).rejects.toThrow();
    expect(last()).toMatchObject({ ...refused("queue_timeout"), promptTokens: 50 });
    expect(last()!.queuedMs).toBeGreaterThan(10);
  });

  it("refuses at once if all are over the busy threshold, with or without a queue", async () => {
    const busy = { ...NO_THRESHOLDS, busyPrefillTokens: { share: 1 } };
    for (const thresholds of [busy, { ...busy, queuePrefillSteps: 0.5 }]) {
      const { admission, add, router } = open({}, { thresholds });
      add("one");
      apply(admission, request(256));
      const refused = apply(admission, request(16));
      await expect(refused.outcome).rejects.toMatchObject({ status: 503, code: "server_busy" });
      expect(router.decisions.list(1)[0]).toMatchObject({
        outcome: "refused",
        reason: "busy",
        busyWorkers: 1,
      });
    }
  });

  it("hands waiting requests over to the queue that replaces it, in order", async () => {
    const before = open();
    before.add("one");
    apply(before.admission, request(256));
    const waiting = [apply(before.admission, request(32)), apply(before.admission, request(32))];
    const gone = apply(before.admission, request(32));
    expect(before.admission.waiting).toBe(3);

    const after = open();
    before.admission.handOver(after.admission);
    expect([before.admission.waiting, after.admission.waiting]).toEqual([0, 3]);
    gone.pending?.leave();
    expect(after.admission.waiting).toBe(2);
    after.add("two");
    await settled();
    expect(waiting.map(({ route }) => route?.worker.instance.name)).toEqual(["two", "two"]);
    expect(gone.route).toBeUndefined();
    const order = after.router.decisions.list(2).map(({ requestId }) => requestId);
    expect(order).toHaveLength(2);
  });

  it("can refuse all waiting requests", async () => {
    const { admission, add } = open();
    add("one");
    apply(admission, request(256));
    const waiting = apply(admission, request(32));
    admission.refuseAll(noWorkerReady("test"));
    await expect(waiting.outcome).rejects.toMatchObject({ status: 503, code: "no_worker_ready" });
    expect(admission.waiting).toBe(0);
  });
});

describe("the queue for prefill workers", () => {
  const kvFormat = "test";

  /** One prefill worker that computes one prompt of 256 tokens at a time, and one decode worker. */
  function openPools(queue: Partial<QueueOptions> = {}, needsPrefill = false) {
    const model = open(queue, { disaggregation: { minTokens: 64, minShare: 0, maxWait: 4 } });
    const prefill = model.add("prefill", { role: "prefill", kvFormat });
    const decode = model.add("decode", { role: "decode", kvFormat, needsPrefill, totalBlocks: 1000 });
    const long = (preferences = {}) => ({
      ...request(256, preferences),
      remotePrefill: "possible" as const,
    });
    return { ...model, prefill, decode, long };
  }

  const prefillOf = ({ route }: ReturnType<typeof apply>) => route?.plan.prefill?.worker.instance.name;

  it("holds long prompts until a prefill worker has time, and no others", async () => {
    const { admission, long } = openPools();
    const first = apply(admission, long());
    const second = apply(admission, long());
    expect(prefillOf(first)).toBe("prefill");
    expect(second.route).toBeUndefined();
    const short = apply(admission, { ...request(32), remotePrefill: "possible" });
    const undividable = apply(admission, request(128));
    expect(short.route?.worker.instance.name).toBe("decode");
    expect(undividable.route?.plan.prefillHere).toBe("unsuited");
    first.route!.plan.prefill!.computed(0, 1);
    await settled();
    expect(prefillOf(second)).toBe("prefill");
    expect(admission.waiting).toBe(0);
  });

  it("serves higher priorities first, and forgets those that leave", async () => {
    const { admission, long } = openPools();
    const first = apply(admission, long());
    const low = apply(admission, long({ priority: -1 }));
    const left = apply(admission, long({ priority: 2 }));
    const high = apply(admission, long({ priority: 1 }));
    left.pending!.leave();
    first.route!.plan.prefill!.computed(0, 1);
    await settled();
    expect([prefillOf(high), low.route]).toEqual(["prefill", undefined]);
    high.route!.plan.prefill!.computed(0, 1);
    await settled();
    expect(prefillOf(low)).toBe("prefill");
  });

  it("is no longer than its prompts are worth the wait", async () => {
    const { admission, long, router } = openPools();
    const all = Array.from({ length: 8 }, () => apply(admission, long()));
    // On the prefill worker, the wait and the prompt may take four times as long as here.
    expect(all.map(prefillOf).filter(Boolean)).toHaveLength(1);
    const here = all.filter(({ route }) => route?.plan.prefillHere !== undefined);
    expect(here.length).toBeGreaterThan(0);
    expect(here.map(({ route }) => route!.plan.prefillHere)).toEqual(here.map(() => "slower"));
    expect(admission.waiting).toBeGreaterThan(1);
    expect(router.decisions.list(8).some(({ prefillHere }) => prefillHere === "slower")).toBe(true);
  });

  it("is drained to other prefill workers, or to those that answer", async () => {
    const { admission, add, long, prefill, router } = openPools();
    apply(admission, long());
    const waiting = [apply(admission, long()), apply(admission, long())];
    router.removeWorker(prefill);
    add("other", { role: "prefill", kvFormat });
    await settled();
    expect(waiting.map(prefillOf)).toEqual(["other", undefined]);
    router.removeWorker(waiting[0]!.route!.plan.prefill!.worker);
    await settled();
    expect(waiting[1]!.route?.plan.prefillHere).toBeUndefined();
    expect(waiting[1]!.route?.worker.instance.name).toBe("decode");
  });

  it("ends a wait that takes too long where the answer is written", async () => {
    const { admission, long } = openPools({ timeoutMs: 20 });
    apply(admission, long());
    const late = await apply(admission, long()).outcome;
    expect([late.worker.instance.name, late.plan.prefill]).toEqual(["decode", undefined]);
    expect(admission.waiting).toBe(0);
  });

  it("holds everything for decode workers that cannot do without", async () => {
    const { admission, long } = openPools({}, true);
    const first = apply(admission, long());
    const second = apply(admission, { ...request(32), remotePrefill: "possible" });
    expect([prefillOf(first), second.route]).toEqual(["prefill", undefined]);
    first.route!.plan.prefill!.computed(0, 1);
    await settled();
    expect(prefillOf(second)).toBe("prefill");
  });

  it("does not exist without its threshold: busy prefill workers are passed over, or make others busy", async () => {
    const thresholds = { ...NO_THRESHOLDS, busyPrefillTokens: { tokens: 200 } };
    for (const needsPrefill of [false, true]) {
      const { admission, add } = open({}, { thresholds });
      add("prefill", { role: "prefill", kvFormat });
      add("decode", { role: "decode", kvFormat, needsPrefill, totalBlocks: 1000 });
      const ask = () => apply(admission, { ...request(640), remotePrefill: "possible" });
      ask();
      const second = ask();
      if (needsPrefill)
        await expect(second.outcome).rejects.toMatchObject({ status: 503, code: "server_busy" });
      else expect(second.route?.plan.prefillHere).toBe("busy");
    }
  });
});
