import { describe, expect, onTestFinished, test, vi } from "vitest";
import { stall } from "../../scripts/testing/stall.ts";
import { NO_THRESHOLDS } from "../routing/load/thresholds.ts";
import type { Gateway } from "./create-gateway.ts";
import { ask, attach, chat, FaultyEngine, models } from "./test-engine.ts";

/** The engine's state in each place where the gateway reports it. */
async function statesOf(gateway: Gateway) {
  const [health, workers, metrics] = await Promise.all([
    ask(gateway, "/health"),
    ask(gateway, "/admin/workers"),
    ask(gateway, "/metrics"),
  ]);
  return {
    gateway: health.body.status,
    health: health.body.models[0]?.workers[0]?.status,
    admin: workers.body.data[0].state,
    metrics: /^stator_worker_ready\{.*\} (\d)$/m.exec(metrics.text)?.[1],
    chat: (await chat(gateway)).status,
  };
}

const UP = { gateway: "ready", health: "ready", admin: "ready", metrics: "1", chat: 200 };
const DOWN = { gateway: "down", health: "down", admin: "down", metrics: "0", chat: 503 };

describe("an engine's state is the same everywhere it is reported", () => {
  test("when it restarted between two checks", async () => {
    const engine = await FaultyEngine.start("vllm");
    const gateway = await attach([engine]);
    expect(await statesOf(gateway)).toEqual(UP);
    engine.startedAt = 5_000;
    const before = engine.count("/version");
    await expect.poll(() => engine.count("/version")).toBeGreaterThan(before);
    expect(await statesOf(gateway)).toEqual(UP);
  });

  test("when two replicas take turns answering at its address", async () => {
    const engine = await FaultyEngine.start("vllm");
    const gateway = await attach([engine]);
    let turns = 0;
    engine.onMetrics = () => {
      engine.startedAt = [1_000, 5_000][turns++ % 2]!;
    };
    await expect.poll(() => turns).toBeGreaterThan(10);
    expect(await statesOf(gateway)).toEqual(UP);
    const learnt = engine.count("/version");
    const seen = turns;
    await expect.poll(() => turns).toBeGreaterThan(seen + 10);
    expect(engine.count("/version")).toBe(learnt);
    const { body } = await ask(gateway, "/admin/workers");
    expect(body.data[0].limitations).toMatchObject([{ code: "kv-events" }, { code: "replicas" }]);
  });

  test.each([
    ["vllm", "openai"],
    ["openai", "vllm"],
  ] as const)(
    "when a server of another kind replaces it (%s, then %s) between two checks",
    async (kind, next) => {
      const engine = await FaultyEngine.start(kind);
      const gateway = await attach([engine]);
      engine.kind = next;
      await expect.poll(async () => (await ask(gateway, "/admin/workers")).body.data[0].kind).toBe(next);
      expect(await statesOf(gateway)).toEqual(UP);
    },
  );

  test.each(["vllm", "openai"] as const)("when it dies and comes back (%s)", async (kind) => {
    const engine = await FaultyEngine.start(kind);
    const gateway = await attach([engine]);
    await engine.die();
    await expect.poll(async () => (await statesOf(gateway)).health).toBe("down");
    expect(await statesOf(gateway)).toEqual(DOWN);
    await engine.listen();
    await expect.poll(async () => (await statesOf(gateway)).health).toBe("ready");
    expect(await statesOf(gateway)).toEqual(UP);
  });

  test.each(["vllm", "openai"] as const)(
    "when it accepts connections but never answers (%s)",
    async (kind) => {
      const engine = await FaultyEngine.start(kind);
      const gateway = await attach([engine]);
      engine.isHung = true;
      await expect.poll(async () => (await ask(gateway, "/health")).status).toBe(503);
      expect(await statesOf(gateway)).toEqual(DOWN);
      expect((await ask(gateway, "/admin/workers")).body.data[0].reason).toMatch(/check within [\d.]+ s/);
    },
  );

  test("after as long as checks may take: no shorter limit ends their requests", async () => {
    const limits = vi.spyOn(AbortSignal, "timeout");
    onTestFinished(() => limits.mockRestore());
    const engine = await FaultyEngine.start("openai");
    await attach([engine], { health: { intervalMs: 20, modelsMs: 20, timeoutMs: 60_000, slowStartMs: 0 } });
    limits.mockClear();
    const seen = engine.count("/v1/models");
    await expect.poll(() => engine.count("/v1/models")).toBeGreaterThan(seen + 1);
    expect(Math.min(...limits.mock.calls.flat())).toBeGreaterThan(60_000);
  });

  test("when its server reports a dead engine core", async () => {
    const engine = await FaultyEngine.start("vllm");
    const gateway = await attach([engine]);
    engine.health = 503;
    await expect.poll(async () => (await ask(gateway, "/health")).status).toBe(503);
  });

  test("when it no longer accepts the gateway's key, with the flag that fixes it", async () => {
    const engine = await FaultyEngine.start("vllm");
    const gateway = await attach([engine], { health: { intervalMs: 20, modelsMs: 20, slowStartMs: 0 } });
    engine.key = "new";
    await expect.poll(async () => (await ask(gateway, "/health")).status).toBe(503);
    expect((await ask(gateway, "/admin/workers")).body.data[0].reason).toContain("--engine-key");
  });

  test("when its metrics are forbidden", async () => {
    const engine = await FaultyEngine.start("vllm");
    const gateway = await attach([engine]);
    engine.metrics = 403;
    const seen = engine.count("/metrics");
    await expect.poll(() => engine.count("/metrics")).toBeGreaterThan(seen + 5);
    expect((await statesOf(gateway)).chat).toBe(200);
  });

  test("while it answers requests but is too busy for checks", async () => {
    const engine = await FaultyEngine.start("openai");
    const gateway = await attach([engine]);
    engine.isHungForChecks = true;
    const checks = engine.count("/v1/models");
    while (engine.count("/v1/models") < checks + 6) expect((await chat(gateway)).status).toBe(200);
    expect((await ask(gateway, "/health")).status).toBe(200);
  });
});

describe("models that come and go", () => {
  test("are listed and served without a restart, while others keep their state", async () => {
    const engine = await FaultyEngine.start("openai");
    const gateway = await attach([engine], { health: { intervalMs: 20, modelsMs: 50, slowStartMs: 0 } });
    const workerId = async () => {
      expect((await chat(gateway)).status).toBe(200);
      return (await ask(gateway, "/v1/router/decisions?limit=1")).body.data[0].worker.id;
    };
    const before = await workerId();
    engine.models.push("more");
    await expect.poll(() => models(gateway)).toEqual(["more", "tiny"]);
    expect((await chat(gateway, "more")).status).toBe(200);
    expect(await workerId()).toBe(before);
    engine.models.shift();
    await expect.poll(() => models(gateway)).toEqual(["more"]);
    expect((await chat(gateway)).status).toBe(404);
  });

  test("are detected when an engine no longer knows a model that it listed", async () => {
    const engine = await FaultyEngine.start("openai");
    engine.models.push("other");
    const gateway = await attach([engine], { health: { intervalMs: 60_000, slowStartMs: 0 } });
    engine.models.pop();
    expect((await chat(gateway, "other")).status).toBe(404);
    await expect.poll(() => models(gateway)).toEqual(["tiny"]);
  });
});

test("a request to an engine that hangs fails over to another", async () => {
  const [hanging, other] = [await FaultyEngine.start("openai"), await FaultyEngine.start("openai")];
  const gateway = await attach([hanging, other], { policy: "round-robin" });
  hanging.isHung = true;
  const answers = await Promise.all(Array.from({ length: 6 }, () => chat(gateway)));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(hanging.count("/v1/chat/completions")).toBe(3);
});

test("a request queued for a model's last engine is answered by its replacement", async () => {
  const [before, after] = [await FaultyEngine.start("vllm"), await FaultyEngine.start("vllm")];
  after.blockSize = 32;
  const gateway = await attach([before], {
    thresholds: { ...NO_THRESHOLDS, queuePrefillSteps: 0.001 },
  });
  before.isHung = true;
  const running = chat(gateway);
  const waitingRequests = () => gateway.models.all()[0]?.waiting;
  await expect.poll(() => before.count("/v1/chat/completions")).toBe(1);
  const waiting = chat(gateway);
  await expect.poll(waitingRequests).toBe(1);
  gateway.engines.detach(before.name);
  gateway.engines.attach({ url: after.url, name: after.name });
  expect((await waiting).status).toBe(200);
  expect(gateway.models.all()[0]?.blockSize).toBe(32);
  await before.die();
  expect((await running).status).toBe(200);
});

test("requests for a model that one engine has dropped go to the others", async () => {
  const engines = [await FaultyEngine.start("openai"), await FaultyEngine.start("openai")];
  const gateway = await attach(engines, {
    health: { intervalMs: 60_000, slowStartMs: 0 },
    policy: "round-robin",
  });
  engines[0]!.models = ["another"];
  for (let round = 0; round < 6; round++) expect((await chat(gateway)).status).toBe(200);
  engines[1]!.models = ["another"];
  // No engine has it: the engine's own error is the answer.
  expect((await chat(gateway)).body).toMatchObject({ error: { message: "no such model" } });
});

describe("the gateway's own doctor", () => {
  test("examines its engines with their keys", async () => {
    const engine = await FaultyEngine.start("vllm");
    engine.key = "secret";
    const gateway = await attach([engine], {
      engines: [{ url: engine.url, name: "one", apiKey: "secret" }],
    });
    const { status, body, text } = await ask(gateway, "/admin/doctor", { timeout_ms: 1_000 * stall() });
    expect(status).toBe(200);
    expect(body.engines).toMatchObject([{ engine: { name: "one", kind: "vllm" } }]);
    const checks = body.engines[0].checks.map(({ id, status }: { id: string; status: string }) => [
      id,
      status,
    ]);
    expect(checks.slice(0, 2)).toEqual([
      ["answers", "ok"],
      ["test-request", "ok"],
    ]);
    expect(text).not.toContain("secret");
    expect((await ask(gateway, "/admin/doctor", { timeout: 1 })).status).toBe(400);
  });
});

describe("the breaker", () => {
  test("opens after five failed requests in a row; the first bytes of an error do not count as success", async () => {
    const [bad, good] = [await FaultyEngine.start("openai"), await FaultyEngine.start("openai")];
    const pauseMs = 3_600_000;
    const requests = { consecutiveFailures: 5, firstPauseMs: pauseMs, longestPauseMs: pauseMs };
    const gateway = await attach([bad, good], {
      requestOptions: { retries: 0 },
      policy: "round-robin",
      health: { intervalMs: 20, slowStartMs: 0, requests },
    });
    bad.status = 500;
    const outcomes: number[] = [];
    for (let round = 0; round < 20; round++) outcomes.push((await chat(gateway)).status);
    expect(outcomes.filter((status) => status !== 200)).toHaveLength(5);
    expect(bad.count("/v1/chat/completions")).toBe(5);
  });
});
