import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileRouter } from "#router-wasm";
import { createLogger } from "#runtime";
import { startLlamaCpp, startSglang, startTensorrtLlm, startVllm, writeModelFolder } from "#stand-ins";
import { makeAuthority, makeCertificate } from "../../scripts/testing/certificates.ts";
import { stall } from "../../scripts/testing/stall.ts";
import { diagnoseEngines, type NodeDoctorOptions } from "../adapters/node/doctor.ts";
import { type Answer, serveAnswers } from "../engines/test-server.ts";
import type { EngineSpec } from "../models/members/engine-spec.ts";
import type { Check, Diagnosis } from "./types.ts";

const routerModule = await compileRouter(
  readFileSync(new URL("../../router-wasm/router.wasm", import.meta.url)),
);
const log = createLogger({ name: "doctor", level: "error" });
let folder = "";

beforeAll(async () => {
  execFileSync(process.execPath, [fileURLToPath(new URL("../../scripts/build-wasm.mjs", import.meta.url))]);
  folder = await mkdtemp(join(tmpdir(), "stator-doctor-"));
  await writeModelFolder(join(folder, "tiny"));
});

afterAll(() => rm(folder, { recursive: true }));

function diagnose(specs: readonly EngineSpec[], more: Partial<NodeDoctorOptions> = {}): Promise<Diagnosis> {
  return diagnoseEngines(specs, {
    routerModule,
    tokenizers: new Map(),
    timeoutMs: 5_000 * stall(),
    log,
    ...more,
  });
}

/** For tests in which waits time out. */
const SHORT = { timeoutMs: 500 * stall() };

const problemsOf = (checks: readonly Check[] | undefined) =>
  checks?.filter(({ status }) => status === "problem");

const EVENTS = { replayPort: 0 };

describe("The doctor finds nothing wrong", () => {
  test("with vLLMs that publish KV events, and proves that KV routing works", async () => {
    await using one = await startVllm({ kvEvents: EVENTS, source: join(folder, "tiny") });
    await using other = await startVllm({ kvEvents: EVENTS, source: join(folder, "tiny") });
    const { engines, together, isWell } = await diagnose([{ url: one.url }, { url: other.url }]);
    const checks = [...engines.flatMap((engine) => engine.checks), ...together];
    expect(checks.map(({ status }) => status)).toEqual(checks.map(() => "ok"));
    expect(checks.map(({ id }) => id)).toContain("prediction");
    expect(isWell).toBe(true);
    expect(engines[0]?.engine).toMatchObject({
      kind: "vllm",
      kvEvents: { kind: "zmq", isConnected: true },
      models: [{ name: "tiny", tokens: `tokenizer.json in ${join(folder, "tiny")}` }],
    });
  });

  test("with a vLLM on another machine, using its own tokenizer", async () => {
    await using vllm = await startVllm({ kvEvents: EVENTS });
    expect((await diagnose([{ url: vllm.url }])).isWell).toBe(true);
  });

  test("with an SGLang, given its tokenizer", async () => {
    await using sglang = await startSglang({ kvEvents: EVENTS });
    const tokenizers = new Map([["tiny", join(folder, "tiny")]]);
    const { engines, isWell } = await diagnose([{ url: sglang.url }], { tokenizers });
    expect(problemsOf(engines[0]?.checks)).toEqual([]);
    expect(isWell).toBe(true);
  });

  test("with a llama.cpp, and notes that it has no KV events", async () => {
    await using engine = await startLlamaCpp();
    const { engines, isWell } = await diagnose([{ url: engine.url }]);
    expect(isWell).toBe(true);
    expect(engines[0]?.checks).toContainEqual(expect.objectContaining({ id: "kv-events", status: "note" }));
  });

  test("with a TensorRT-LLM, and leaves its events to the gateway that polls them", async () => {
    await using engine = await startTensorrtLlm({ kvEvents: {} });
    const { engines } = await diagnose([{ url: engine.url }]);
    expect(engines[0]?.checks.find(({ id }) => id === "kv-events")?.status).toBe("skipped");
  });

  test("with a vLLM under load from other clients", async () => {
    await using vllm = await startVllm({ kvEvents: EVENTS, source: join(folder, "tiny") });
    let isOver = false;
    const traffic = (async () => {
      while (!isOver) {
        const body = JSON.stringify({ model: "tiny", prompt: crypto.randomUUID().repeat(20), max_tokens: 1 });
        const headers = { "content-type": "application/json" };
        await (await fetch(`${vllm.url}/v1/completions`, { method: "POST", headers, body })).text();
      }
    })();
    const { engines } = await diagnose([{ url: vllm.url }]).finally(() => {
      isOver = true;
    });
    await traffic;
    expect(problemsOf(engines[0]?.checks)).toEqual([]);
  });
});

describe("The doctor names the cause and the flag", () => {
  test.each([
    ["without KV events", { kvEvents: undefined }, "kv-events", "--kv-events-config"],
    ["without prefix caching", { prefixCaching: false }, "prefix-caching", "--enable-prefix-caching"],
    [
      "that does not report cached tokens",
      { reportsCachedTokens: false },
      "cached-tokens",
      "--enable-prompt-tokens-details",
    ],
  ])("of a vLLM %s", async (_, options, id, flag) => {
    await using vllm = await startVllm({ kvEvents: EVENTS, source: join(folder, "tiny"), ...options });
    const { engines, isWell } = await diagnose([{ url: vllm.url }]);
    expect(isWell).toBe(false);
    const problems = problemsOf(engines[0]?.checks);
    expect(problems?.map((check) => check.id)).toEqual([id]);
    expect(problems?.[0]?.flag).toContain(flag);
    expect(problems?.[0]?.cost).toMatch(/\.$/);
  });

  test("of KV events on an address that cannot be reached", async () => {
    await using vllm = await startVllm({ kvEvents: EVENTS });
    const kvEvents = { endpoint: "tcp://127.0.0.1:1" };
    const { engines } = await diagnose([{ url: vllm.url, kvEvents }], SHORT);
    const [problem, ...others] = problemsOf(engines[0]?.checks) ?? [];
    expect(others).toEqual([]);
    expect(problem).toMatchObject({
      id: "kv-events-connection",
      fix: expect.stringContaining("--kv-events"),
    });
    expect(problem?.text).toContain("tcp://127.0.0.1:1");
  });

  test("of an address where something else publishes", async () => {
    await using vllm = await startVllm({ kvEvents: EVENTS });
    await using other = await startVllm({ kvEvents: EVENTS });
    const kvEvents = { endpoint: other.kvEvents[0]!.endpoint };
    const { engines } = await diagnose([{ url: vllm.url, kvEvents }], SHORT);
    expect(problemsOf(engines[0]?.checks)?.map(({ id }) => id)).toEqual(["kv-events-arrive"]);
  });

  test("of a tokenizer with another chat template than the engine's", async () => {
    const wrong = join(folder, "wrong");
    await writeModelFolder(wrong);
    const config = JSON.parse(await readFile(join(wrong, "tokenizer_config.json"), "utf8"));
    const other = { ...config, chat_template: `Another one.${config.chat_template}` };
    await writeFile(join(wrong, "tokenizer_config.json"), JSON.stringify(other));
    await using vllm = await startVllm({ kvEvents: EVENTS });
    const { engines } = await diagnose([{ url: vllm.url }], { tokenizers: new Map([["", wrong]]), ...SHORT });
    const [problem, ...others] = problemsOf(engines[0]?.checks) ?? [];
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ id: "tokens", fix: expect.stringContaining("--tokenizer DIR") });
    expect(problem?.text).toContain(wrong);
  });

  test("of an SGLang whose tokenizer is out of reach", async () => {
    await using sglang = await startSglang({ kvEvents: EVENTS });
    const { engines } = await diagnose([{ url: sglang.url }], SHORT);
    expect(problemsOf(engines[0]?.checks)?.map(({ id }) => id)).toEqual(["tokens"]);
  });

  test("of a block size that the engine does not report", async () => {
    await using vllm = await startVllm({ kvEvents: EVENTS, hasMetrics: false, blockSize: 32 });
    const { engines } = await diagnose([{ url: vllm.url }]);
    const checks = engines[0]?.checks;
    expect(problemsOf(checks)).toEqual([]);
    expect(checks?.find(({ id }) => id === "block-size")).toMatchObject({
      status: "note",
      fix: expect.stringContaining("block-size: 32"),
    });
    // The router has adopted the events' size, so the rest can be proved.
    expect(checks?.find(({ id }) => id === "prediction")).toMatchObject({ status: "ok" });
    const { engines: advised } = await diagnose([{ url: vllm.url, blockSize: 32 }]);
    expect(advised[0]?.checks.find(({ id }) => id === "block-size")).toMatchObject({ status: "ok" });
  });

  test("of blocks that are longer than a short prompt", async () => {
    await using vllm = await startVllm({
      kvEvents: EVENTS,
      hasMetrics: false,
      blockSize: 528,
      contextLength: 8_192,
    });
    const { engines } = await diagnose([{ url: vllm.url }], { timeoutMs: 1_000 });
    const checks = engines[0]?.checks;
    expect(checks?.find(({ id }) => id === "block-size")?.text).toContain("blocks of 528 tokens");
    expect(checks?.find(({ id }) => id === "prediction")).toMatchObject({ status: "ok" });
  });

  test("of an engine that is down", async () => {
    const vllm = await startVllm();
    await vllm.close();
    const { engines, isWell } = await diagnose([{ url: vllm.url }]);
    expect(isWell).toBe(false);
    expect(engines[0]).toMatchObject({
      engine: { state: "down" },
      checks: [{ id: "answers", status: "problem", text: expect.stringContaining("cannot be reached") }],
    });
  });

  test("of an engine that needs a key, and finds nothing wrong with the right key", async () => {
    await using vllm = await startVllm({ kvEvents: EVENTS, apiKey: "secret" });
    const { engines } = await diagnose([{ url: vllm.url }]);
    expect(engines[0]?.checks[0]?.fix).toContain("--engine-key");
    expect((await diagnose([{ url: vllm.url, apiKey: "secret" }])).isWell).toBe(true);
  });

  test("of something that is not an engine", async () => {
    const server = createServer((_, response) => response.end("<html>Hello</html>"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { engines } = await diagnose([{ url: `http://127.0.0.1:${port}` }]);
    server.close();
    const [check] = engines[0]?.checks ?? [];
    expect(check).toMatchObject({ id: "answers", status: "problem" });
    expect(check?.fix).toContain("not the address of an engine");
  });

  test("of an engine that fails every request", async () => {
    await using vllm = await startVllm({ kvEvents: EVENTS });
    vllm.setFaults({ status: 500 });
    const { engines } = await diagnose([{ url: vllm.url }], SHORT);
    expect(problemsOf(engines[0]?.checks)?.map(({ id }) => id)).toEqual(["test-request"]);
  });

  test("of an engine that needs another key", async () => {
    await using engine = await serveAnswers({
      "/v1/models": (_, response) => void response.writeHead(401).end(),
    });
    const [without, wrong] = [{ url: engine.url }, { url: engine.url, apiKey: "wrong" }];
    const { engines } = await diagnose([without, wrong]);
    expect(engines.map(({ checks }) => checks[0])).toMatchObject([
      { fix: "It requires a key: pass it with --engine-key KEY." },
      { fix: "It rejects the given key: pass the right one with --engine-key KEY." },
    ]);
  });

  test("of an engine that cannot be reached, with advice that fits the cause", async () => {
    const authority = await makeAuthority(folder, "authority");
    const files = await makeCertificate(folder, "engine", authority);
    const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)]);
    const selfSigned = createTlsServer({ cert, key });
    const silent = createServer((request) => void request.socket.destroy());
    const [tls, reset, gone] = [selfSigned, silent, createServer()];
    for (const server of [tls, reset, gone])
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const at = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const urls = [
      `https://${at(tls)}`,
      "http://127.0.0.1:22",
      `https://${at(reset)}`,
      `http://${at(reset)}`,
      `http://${at(gone)}`,
    ];
    await new Promise((resolve) => gone.close(resolve));
    const { engines } = await diagnose(urls.map((url) => ({ url })));
    expect(engines.map(({ checks }) => checks[0]?.fix)).toEqual([
      "Pass the certificate authority that issued its certificate with --engine-ca FILE.",
      "Run the engine on another port.",
      "It does not speak TLS: try http://.",
      "If it speaks TLS, try https://.",
      expect.stringContaining("Check that the engine is running"),
    ]);
    expect(engines[1]?.checks[0]?.text).toBe(
      "http://127.0.0.1:22/v1/models cannot be reached: fetch blocks its port.",
    );
    for (const server of [tls, reset]) server.close();
  });

  test("of engines of one model with different block sizes", async () => {
    await using one = await startVllm({ kvEvents: EVENTS });
    await using other = await startVllm({ kvEvents: EVENTS, blockSize: 32 });
    const { together } = await diagnose([{ url: one.url }, { url: other.url }]);
    expect(problemsOf(together)).toMatchObject([{ id: "same-block-size", flag: "--block-size 16" }]);
  });
});

describe("The doctor of a running gateway", () => {
  /** Diagnoses a fake gateway with one engine, and records the keys that each was sent. */
  async function diagnoseGateway(doctorRoute: Answer | undefined) {
    const keys: Record<string, (string | undefined)[]> = { gateway: [], engine: [] };
    const engine = await serveAnswers({
      "/v1/models": (request, response) => {
        keys.engine!.push(request.headers.authorization);
        response.end(JSON.stringify({ data: [{ id: "tiny" }] }));
      },
    });
    const gateway = await serveAnswers({
      "/admin/workers": (request, response) => {
        keys.gateway!.push(request.headers.authorization);
        response.end(JSON.stringify({ data: [{ url: engine.url, name: "one" }] }));
      },
      ...(doctorRoute && { "/admin/doctor": doctorRoute }),
    });
    const diagnosis = await diagnose([{ url: gateway.url, apiKey: "admin" }], SHORT);
    await gateway[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    return { keys, engine, diagnosis };
  }

  test("lets it examine its engines, whose keys it knows", async () => {
    const theirs: Diagnosis = {
      engines: [],
      together: [{ id: "same-model", status: "problem", text: "The gateway's finding." }],
      isWell: false,
    };
    const { keys, engine, diagnosis } = await diagnoseGateway(theirs);
    expect(diagnosis).toEqual(theirs);
    expect(keys.gateway).toEqual(["Bearer admin"]);
    expect(engine.requests).toEqual([]);
  });

  test.each([
    ["is too old for that", undefined],
    ["returns an unreadable answer", { engines: 7 }],
  ])("examines them itself if the gateway %s, without sending them the gateway's key", async (_, answer) => {
    const { keys, diagnosis } = await diagnoseGateway(answer);
    expect(diagnosis.engines).toMatchObject([{ engine: { name: "one", kind: "openai" } }]);
    expect(new Set(keys.engine)).toEqual(new Set([undefined]));
    expect(keys.engine).not.toEqual([]);
  });
});
