import { describe, expect, test } from "vitest";
import type { Faults } from "#stand-ins";
import { metric, until } from "../metrics.ts";
import { Pools } from "./pools.ts";
import { poolsSuite } from "./pools-suite.ts";

// Prefill and decode engines are killed or misbehave while 32 streams run.

describe.each(["vllm", "sglang", "tensorrt-llm"])("%s", (kind) => {
  const pools = new Pools(kind, { leaseSeconds: 10, restarts: true });

  test("a prefill engine that is killed costs no answer", async () => {
    await pools.runAll(() => pools.prefill[0].kill());
    await pools.runAll();
    await pools.prefill[0].restart();
    await pools.expectSettled();
  });

  // TensorRT-LLM cannot continue a chat's partial answer.
  test.skipIf(kind === "tensorrt-llm")("a decode engine that is killed costs no answer", async () => {
    await pools.runAll(() => pools.decode[0].kill());
    await pools.runAll();
    // That is not the prefill engines' fault.
    for (const { name } of pools.prefill)
      expect(pools.stator.stdout + pools.stator.stderr).not.toContain(`aside engine=${name}`);
    await pools.decode[0].restart();
    await pools.expectSettled();
  });

  const faults: [string, Partial<Faults>][] = [
    ["answers every request with 500", { status: 500, share: 1 }],
    ["answers with something that is not HTTP", { garbageHttp: true }],
    ["answers with a gigabyte", { endlessBody: true }],
    ["hangs before its answers", { hangBeforeHead: true }],
  ];
  test.each(faults)("a prefill engine that %s costs no answer", async (_what, fault) => {
    await pools.prefill[0].faults(fault);
    await pools.runAll();
    expect(await pools.prefills("fallback")).toBeGreaterThan(0);
    await pools.prefill[0].faults({});
    await pools.expectSettled();
  });

  test("a client that disconnects leaves nothing behind", async () => {
    for (const engine of pools.engines) await engine.faults({ hangAfterTokens: 3 });
    const controllers = Array.from({ length: 8 }, () => new AbortController());
    const answers = controllers.map(async ({ signal }, index) => {
      const response = await fetch(`${pools.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          ...{ model: "tiny", max_tokens: 20, stream: true, ignore_eos: true },
          messages: [{ role: "user", content: `${index} ${"is long. ".repeat(400)}` }],
        }),
        signal,
      });
      await response.text();
    });
    await until(async () => (await metric(pools.url, "stator_worker_active_requests")) > 0);
    for (const controller of controllers) controller.abort();
    await Promise.allSettled(answers);
    for (const engine of pools.engines) await engine.faults({});
    await pools.expectSettled();
  });
});

describe("vllm", () => {
  const pools = new Pools("vllm", { leaseSeconds: 10, restarts: true });

  test("without a prefill engine that is up, decode engines compute everything", async () => {
    await Promise.all(pools.prefill.map((engine) => engine.kill()));
    await pools.runAll();
    await Promise.all(pools.prefill.map((engine) => engine.restart()));
    await pools.expectSettled();
    expect(await pools.prefills("remote")).toBe(0);
  });

  test("several processes divide requests, too", async () => {
    await pools.attach("--processes=2");
    await pools.runAll();
    expect(await pools.kv()).toMatchObject({ read: 32, expired: 0 });
    expect(await pools.prefills("remote")).toBe(32);
    await pools.runAll(() => pools.prefill[0].kill());
    await pools.prefill[0].restart();
    await pools.expectSettled();
  });
});

describe("vllm with short leases", () => {
  const pools = new Pools("vllm", { leaseSeconds: 3, firstTokenSeconds: 60 });

  test("blocks whose lease may have run out while the gateway stood still are not used", async () => {
    await pools.detach(pools.prefill[1]);
    const [{ url }] = pools.prefill;
    const received = async (): Promise<number> => {
      const all: string[] = await (await fetch(`${url}/stand-in/requests`)).json();
      return all.filter((name) => name === "POST /v1/chat/completions").length;
    };
    const before = await received();
    await pools.prefill[0].faults({ delayMs: 1000 });
    const answer = pools.askOne();
    await until(async () => (await received()) > before);
    pools.stator.signal("SIGSTOP");
    await until(async () => (await (await fetch(`${url}/stand-in/kv`)).json()).expired === 1);
    pools.stator.signal("SIGCONT");
    await answer;
    expect(await pools.prefills("fallback", "kv_expired")).toBe(1);
    await pools.expectSettled();
  });
});

describe("tensorrt-llm without faults", () => {
  poolsSuite("tensorrt-llm");
});
