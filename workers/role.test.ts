import { afterEach, describe, expect, test } from "vitest";
import { createLogger, instanceEndpoint, openMemoryDiscovery, randomId } from "#runtime";
import { connect } from "#runtime/node";
import { defineWorker } from "./define-worker.ts";
import { openEcho } from "./echo/engine.ts";
import { requestFor } from "./engine.suite.ts";
import type { Engine } from "./engine.ts";
import { startWorker } from "./host.ts";
import { TestingAgent } from "./kv/testing-agent.ts";
import { startTestingWorker, type TestingWorker } from "./kv/testing-worker.ts";
import { openMocker } from "./mocker/engine.ts";

const workers: TestingWorker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});

async function start(engine: Engine, options: Parameters<typeof startTestingWorker>[1] = {}) {
  const openTransferAgent = async () => new TestingAgent();
  const worker = await startTestingWorker(engine, { openTransferAgent, ...options });
  workers.push(worker);
  return worker;
}

/** What discovery says of the worker. */
async function announced({ discovery, host }: TestingWorker) {
  const all = await discovery.get("instances/");
  expect([...all.keys()]).toEqual([`instances/${host.instance.id}`]);
  return all.get(`instances/${host.instance.id}`) as { card: { role: string } };
}

describe("a worker's role", () => {
  test("is announced at the start", async () => {
    const worker = await start(openMocker({ speedup: 0 }), { role: "prefill" });
    expect(worker.host.instance.card.role).toBe("prefill");
    expect(await announced(worker)).toMatchObject({ card: { role: "prefill" } });
    const health = await (await fetch(`${worker.host.opsUrl}/health`)).json();
    expect(health).toMatchObject({
      role: "prefill",
      kvTransfer: { kind: "tcp", choice: "It is a test.", exports: 0, exportBytes: 0 },
    });
    expect(worker.lines.join()).toMatch(/KV transfer is ready kind=tcp/);
    expect(await worker.metric("worker_kv_transfer_info")).toEqual({ 'kind="tcp"': 1 });
  });

  test("changes at run time, under the same id and name, and running requests go on", async () => {
    const worker = await start(openMocker({ speedup: 1 }));
    const before = worker.host.instance;
    const client = await connect(before.address);
    const heard: { card: { role: string } }[] = [];
    client.call(instanceEndpoint, new Uint8Array(0), {
      onMessage: (bytes) => void heard.push(JSON.parse(new TextDecoder().decode(bytes))),
      onEnd() {},
      onError() {},
    });
    const begun = Promise.withResolvers<void>();
    const running = worker.client.generate(requestFor(Uint32Array.of(1), { maxTokens: 20 }), () =>
      begun.resolve(),
    );
    await begun.promise;
    for (const role of ["prefill", "decode", "aggregated"] as const) {
      await worker.client.role(role);
      expect(worker.host.instance).toEqual({ ...before, card: { ...before.card, role } });
      expect(await announced(worker)).toMatchObject({ id: before.id, card: { role } });
    }
    expect((await running).tokens).toHaveLength(20);
    await expect
      .poll(() => heard.map(({ card }) => card.role))
      .toEqual([...["aggregated", "prefill", "decode", "aggregated"]]);
    client.close();
  });

  test("ends as the last of several requests asks", async () => {
    const worker = await start(openMocker({ speedup: 0 }));
    const roles = ["prefill", "decode", "aggregated", "prefill"] as const;
    await Promise.all(roles.map((role) => worker.client.role(role)));
    expect(await announced(worker)).toMatchObject({ card: { role: "prefill" } });
  });

  test("stays what it is if the engine cannot exchange KV", async () => {
    const worker = await start(openEcho());
    await expect(worker.client.role("prefill")).rejects.toMatchObject({
      code: "invalid_request",
      message:
        "The engine 'echo' cannot have the role 'prefill', because it cannot export the KV of a prompt.",
    });
    await expect(worker.client.role("decode")).rejects.toMatchObject({ code: "invalid_request" });
    await worker.client.role("aggregated");
    expect(worker.host.instance.card.role).toBe("aggregated");
  });

  test("stays what it is if there is no way to transfer KV", async () => {
    const openTransferAgent = () => Promise.reject(new Error("There is no library."));
    const worker = await start(openMocker({ speedup: 0 }), { openTransferAgent });
    await expect(worker.client.role("prefill")).rejects.toMatchObject({
      code: "invalid_request",
      message: "The worker cannot have the role 'prefill': There is no library.",
    });
    expect(worker.host.instance.card.role).toBe("aggregated");
  });

  test("is refused at the start if the engine cannot have it, and the engine is closed", async () => {
    let isClosed = false;
    const close = async () => {
      isClosed = true;
    };
    const discovery = openMemoryDiscovery(randomId());
    const starting = startWorker({
      definition: defineWorker({
        name: "echo",
        open: () => ({ ...openEcho(), close }),
      }),
      engineOptions: {},
      threads: 1,
      discovery,
      namespace: "test",
      name: "echo-0",
      role: "decode",
      listen: `memory:${randomId()}`,
      opsPort: 0,
      log: createLogger({ name: "test", level: "error" }),
    });
    await expect(starting).rejects.toThrow(
      "The engine 'echo' cannot have the role 'decode', because it cannot import the KV of a prompt.",
    );
    expect(isClosed).toBe(true);
    await discovery.close();
  });
});
