import { afterEach, describe, expect, test } from "vitest";
import { stall } from "../../scripts/testing/stall.ts";
import { openEcho } from "../echo/engine.ts";
import { collect, requestFor, tokensOf } from "../engine.suite.ts";
import type { Engine } from "../engine.ts";
import type { WorkerHostOptions } from "../host-options.ts";
import { openMocker } from "../mocker/engine.ts";
import { headerBytes } from "./header.ts";
import { type ReadHooks, TestingAgent } from "./testing-agent.ts";
import { type PrefillCall, startTestingWorker, type TestingWorker } from "./testing-worker.ts";

const prompt = Uint32Array.from({ length: 300 }, (_, index) => index % 200);
const MAX_TOKENS = 20;
const ask = requestFor(prompt, { maxTokens: MAX_TOKENS });
const never = new AbortController().signal;

const workers: TestingWorker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});

const openEngine = () => openMocker({ speedup: 0, blockSize: 16 });

async function start(
  hooks: ReadHooks = {},
  options: Partial<WorkerHostOptions> & { engine?: Engine } = {},
): Promise<TestingWorker & { agent: TestingAgent; engine: Engine }> {
  const { engine = openEngine(), ...others } = options;
  const agent = new TestingAgent(hooks);
  const worker = await startTestingWorker(engine, { openTransferAgent: async () => agent, ...others });
  workers.push(worker);
  return { ...worker, agent, engine };
}

/** The whole answer, as one engine gives it. */
const whole = async () => tokensOf(await collect(openEngine().generate(ask, never)));

/** The request for the decode worker. */
const continued = (call: PrefillCall, kv = call.response.kv!) =>
  requestFor(Uint32Array.from([...prompt, ...call.tokens]), {
    maxTokens: MAX_TOKENS - call.tokens.length,
    kvSource: kv,
  });

/** Both sides hold nothing more. */
async function expectNothingHeld(...all: (TestingWorker & { agent: TestingAgent; engine: Engine })[]) {
  for (const worker of all) {
    await expect.poll(() => worker.metric("worker_kv_transfer_memory_bytes")).toEqual({ "": 0 });
    expect(await worker.metric("worker_kv_exports")).toEqual({ "": 0 });
    expect(await worker.metric("worker_kv_export_bytes")).toEqual({ "": 0 });
    expect(worker.engine.stats()).toEqual({ running: 0, waiting: 0, kvUsage: 0 });
  }
}

describe("a prompt computed by one worker and an answer by another", () => {
  test("are the answer of one worker, token for token", async () => {
    const [prefill, decode] = [await start(), await start()];
    const call = await prefill.client.prefill(ask);
    const kv = call.response.kv!;
    expect(call).toMatchObject({ finish: undefined, cachedTokens: 0 });
    expect(kv).toMatchObject({ format: prefill.engine.card.kvFormat, tokens: prompt.length });
    expect(await prefill.metric("worker_kv_exports")).toEqual({ "": 1 });
    expect(await prefill.metric("worker_kv_export_bytes")).toEqual({ "": kv.bytes });
    const answer = await decode.client.generate(continued(call));
    expect([...call.tokens, ...answer.tokens]).toEqual(await whole());
    expect(answer.finish).toBe("length");
    expect(answer.transfers).toBe(1);
    expect(answer.transfer).toMatchObject({ outcome: "transferred", bytes: kv.bytes });
    expect(answer.transfer!.microseconds).toBeGreaterThan(0);
    call.cancel();
    expect(await call.ended).toMatchObject({ code: "cancelled" });
    await expectNothingHeld(prefill, decode);
    expect(await prefill.metric("worker_kv_exports_ended_total")).toEqual({ 'end="taken"': 1 });
    expect(await decode.metric("worker_kv_transfers_total")).toEqual({
      'outcome="transferred",kind="tcp"': 1,
    });
    expect(await decode.metric("worker_kv_transfer_bytes_total")).toEqual({ 'kind="tcp"': kv.bytes });
    expect(prefill.lines.join()).toMatch(/prefilled request=test tokens=300 cached=0 bytes=\d+ ms=\d+/);
    expect(decode.lines.join()).toMatch(/KV received request=test tokens=300 bytes=\d+ ms=[\d.]+ kind=tcp/);
  });

  test("need no transfer if the answer ends with its first token", async () => {
    const prefill = await start();
    const call = await prefill.client.prefill({ ...ask, maxTokens: 1 });
    expect(call.finish).toBe("length");
    expect(call.response.kv).toBeUndefined();
    expect(call.tokens).toEqual((await whole()).slice(0, 1));
    expect(await call.ended).toBeUndefined();
    await expectNothingHeld(prefill);
  });
});

describe("exported KV is freed", () => {
  test("when its lease runs out, which fails the call", async () => {
    const [prefill, decode] = [await start({}, { kvTransfer: { leaseMs: 50 } }), await start()];
    const call = await prefill.client.prefill(ask);
    expect(await call.ended).toMatchObject({
      code: "deadline_exceeded",
      message: "The KV was held for 0.05 s, and is now freed.",
    });
    await expectNothingHeld(prefill);
    expect(await prefill.metric("worker_kv_exports_ended_total")).toEqual({ 'end="expired"': 1 });
    const answer = await decode.client.generate(continued(call));
    expect(answer.transfer).toMatchObject({ outcome: "expired", bytes: 0 });
    expect([...call.tokens, ...answer.tokens]).toEqual(await whole());
  });

  test("when its client's connection breaks", async () => {
    const prefill = await start();
    const call = await prefill.client.prefill(ask);
    prefill.client.close();
    await expectNothingHeld(prefill);
    expect(await prefill.metric("worker_kv_exports_ended_total")).toEqual({ 'end="lost"': 1 });
    expect(await call.ended).toMatchObject({ code: "connection_lost" });
  });

  test("when its client leaves while the prompt is computed", async () => {
    const held = Promise.withResolvers<void>();
    const engine = openEngine();
    const exporting = Promise.withResolvers<void>();
    const exportKv = engine.exportKv!.bind(engine);
    engine.exportKv = async (request, signal) => {
      const prefilled = await exportKv(request, signal);
      exporting.resolve();
      await held.promise;
      return prefilled;
    };
    const prefill = await start({}, { engine });
    const call = prefill.client.prefill(ask);
    await exporting.promise;
    prefill.client.close();
    await expect(call).rejects.toMatchObject({ code: "connection_lost" });
    held.resolve();
    await expectNothingHeld(prefill);
  });

  test("when the worker has to leave at once", async () => {
    const prefill = await start();
    const call = await prefill.client.prefill(ask);
    await prefill.host.drain({ withinMs: 0, deadlineMs: 0 });
    expect(prefill.agent.allocated).toBe(0);
    expect(await call.ended).toMatchObject({ code: "connection_lost" });
  });

  test("at the end of its lease if the worker leaves meanwhile, and not later", async () => {
    const prefill = await start({}, { kvTransfer: { leaseMs: 200 } });
    const call = await prefill.client.prefill(ask);
    await prefill.host.drain({ withinMs: 0, deadlineMs: 3_600_000 });
    expect(await call.ended).toMatchObject({ code: "deadline_exceeded" });
    expect(prefill.agent.allocated).toBe(0);
  });
});

describe("KV that is freed during a transfer is not used", () => {
  test.each([
    ["before the first look at its head", { offset: 0, number: 0 }],
    ["before its data is read", { offset: headerBytes, number: 0 }],
    ["after its data has been read", { offset: 0, number: 1 }],
  ])("%s", async (_, { offset, number }) => {
    let seen = 0;
    let call: PrefillCall;
    const prefill = await start();
    const decode = await start({
      async beforeRead(range) {
        if (range.offset !== offset || seen++ !== number) return;
        call.cancel();
        await expect.poll(() => prefill.metric("worker_kv_exports")).toEqual({ "": 0 });
      },
    });
    call = await prefill.client.prefill(ask);
    const answer = await decode.client.generate(continued(call));
    expect(answer).toMatchObject({ transfers: 1, transfer: { outcome: "expired" } });
    expect([...call.tokens, ...answer.tokens]).toEqual(await whole());
    await expectNothingHeld(prefill, decode);
  });
});

test("KV is not used after its memory has been used for other KV", async () => {
  let reads = 0;
  let call: PrefillCall;
  const prefill = await start();
  const decode = await start({
    async beforeRead(range) {
      if (range.offset !== headerBytes || reads++ > 0) return;
      call.cancel();
      await expect.poll(() => prefill.metric("worker_kv_exports")).toEqual({ "": 0 });
      const other = await prefill.client.prefill({ ...ask, tokens: prompt.map((token) => token + 1) });
      const place = (kv = other.response.kv!) => kv.memory.subarray(16);
      expect(place()).toEqual(place(call.response.kv!));
    },
  });
  call = await prefill.client.prefill(ask);
  const answer = await decode.client.generate(continued(call));
  expect(answer).toMatchObject({ transfers: 1, transfer: { outcome: "expired" } });
  expect([...call.tokens, ...answer.tokens]).toEqual(await whole());
});

describe("a worker that cannot have the KV computes the prompt", () => {
  const failing = (code: string) => () => {
    throw Object.assign(new Error("It fails."), { code });
  };
  const waiting = () => new Promise<void>(() => {});
  type Source = NonNullable<PrefillCall["response"]["kv"]>;
  const source = (change: (kv: Source) => Partial<Source>) => (kv: Source) => ({ ...kv, ...change(kv) });
  const same = source(() => ({}));

  test.each<[string, string, ReadHooks, (kv: Source) => Source]>([
    ["the worker cannot be reached", "unreachable", { beforeConnect: failing("peer_lost") }, same],
    ["the two have no way in common", "unreachable", { beforeConnect: failing("refused") }, same],
    ["the connection breaks", "unreachable", { beforeRead: failing("peer_lost") }, same],
    ["the memory is no longer there", "expired", { beforeRead: failing("refused") }, same],
    ["the transfer is refused", "refused", { beforeRead: failing("invalid") }, same],
    ["the transfer fails", "failed", { beforeRead: failing("failed") }, same],
    ["the transfer makes no progress", "stalled", { beforeRead: waiting }, same],
    ["the connection never comes", "stalled", { beforeConnect: waiting }, same],
    ["it has another size", "failed", {}, source(({ bytes }) => ({ bytes: bytes + 8 }))],
    ["it is smaller", "failed", {}, source(({ bytes }) => ({ bytes: bytes - 8 }))],
    ["it is of another format", "format", {}, source(() => ({ format: "other" }))],
    ["it covers no tokens", "refused", {}, source(() => ({ tokens: 0 }))],
    ["it covers more than the prompt", "refused", {}, source(() => ({ tokens: 301 }))],
    ["it is of other tokens", "format", {}, source(() => ({ tokens: 299 }))],
    ["its memory is unknown", "expired", {}, source(({ memory }) => ({ memory: memory.slice(0, 20) }))],
    [
      "its id is another one",
      "expired",
      {},
      source(({ memory }) => ({ memory: memory.with(0, 1 ^ memory[0]!) })),
    ],
  ])("if %s", async (_, outcome, hooks, change) => {
    const prefill = await start();
    const timeoutMs = outcome === "stalled" ? 1000 * stall() : undefined;
    const decode = await start(hooks, { kvTransfer: { timeoutMs } });
    const call = await prefill.client.prefill(ask);
    const answer = await decode.client.generate(continued(call, change(call.response.kv!)));
    expect(answer.transfers).toBe(1);
    expect(answer.transfer!.outcome).toBe(outcome);
    expect([...call.tokens, ...answer.tokens]).toEqual(await whole());
    const [labels] = Object.keys(await decode.metric("worker_kv_transfers_total"));
    expect(labels).toContain(`outcome="${outcome}"`);
    expect(decode.lines.join()).toContain("KV not received; computing the prompt");
    call.cancel();
    await call.ended;
    await expectNothingHeld(prefill, decode);
  });

  test("if it cannot transfer anything", async () => {
    const prefill = await start();
    const openTransferAgent = () => Promise.reject(new Error("There is no library."));
    const decode = await start({}, { openTransferAgent });
    const call = await prefill.client.prefill(ask);
    const answer = await decode.client.generate(continued(call));
    expect(answer.transfer).toMatchObject({ outcome: "unsupported", bytes: 0 });
    expect([...call.tokens, ...answer.tokens]).toEqual(await whole());
    expect(decode.lines.join()).toContain("There is no library.");
  });

  test("if its engine cannot import KV", async () => {
    const prefill = await start();
    const echo = await start({}, { engine: openEcho() });
    const call = await prefill.client.prefill(ask);
    const answer = await echo.client.generate(continued(call));
    expect(answer).toMatchObject({ finish: "length", transfers: 1, transfer: { outcome: "unsupported" } });
    expect(answer.tokens).toEqual([...prompt.subarray(0, MAX_TOKENS - 1)]);
  });

  test("but not if the client leaves meanwhile", async () => {
    const reading = Promise.withResolvers<void>();
    const prefill = await start();
    const decode = await start({
      async beforeRead(_, signal) {
        reading.resolve();
        await new Promise((_, reject) => {
          signal!.addEventListener("abort", () => reject(signal!.reason));
        });
      },
    });
    const call = await prefill.client.prefill(ask);
    const answer = decode.client.generate(continued(call));
    await reading.promise;
    decode.client.close();
    await expect(answer).rejects.toMatchObject({ code: "connection_lost" });
    call.cancel();
    await call.ended;
    await expectNothingHeld(prefill, decode);
    expect(await decode.metric("worker_kv_transfers_total")).toEqual({});
  });
});

describe("prefill refuses", () => {
  test("prompts that the model cannot serve, and log probabilities of the prompt", async () => {
    const { client, metric } = await start();
    const invalid = [
      { ...ask, tokens: new Uint32Array(0) },
      { ...ask, tokens: Uint32Array.of(100_000) },
      { ...ask, echoLogprobs: true },
    ];
    for (const request of invalid)
      await expect(client.prefill(request)).rejects.toMatchObject({ code: "invalid_request" });
    expect(await metric("worker_requests_total")).toEqual({ "": 0 });
  });

  test("nothing that fails with a sentence for the log only", async () => {
    const engine = openEngine();
    engine.exportKv = () => Promise.reject(new Error("out of memory"));
    const worker = await start({}, { engine });
    const failure = { code: "internal", message: "The engine failed." };
    await expect(worker.client.prefill(ask)).rejects.toMatchObject(failure);
    expect(worker.lines.join()).toContain("out of memory");
    await expectNothingHeld(worker);
  });

  test("any request if the engine exports no KV", async () => {
    const { client } = await start({}, { engine: openEcho() });
    await expect(client.prefill(ask)).rejects.toMatchObject({ code: "unknown_endpoint" });
  });
});
