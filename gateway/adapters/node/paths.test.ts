import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { readKeyFile } from "../../access/key-file.ts";
import { formatHash, hashKey, newKey, newSalt } from "../../access/key-hash.ts";
import type { ListeningOptions } from "../listening.ts";
import { sendRaw, startTestGateway, TestEngine, type TestGateway } from "./test-gateway.ts";

let engine: TestEngine;
let gateway: TestGateway;

beforeAll(async () => {
  engine = await TestEngine.start(["tiny"]);
});
afterAll(async () => {
  await Promise.all([...gateways.values()].map((each) => each.drain(0)));
  await engine.close();
});
afterEach(() => {
  engine.asked.length = 0;
});

/** Gateways by their options, shared between tests. */
const gateways = new Map<string, TestGateway>();

const start = async (options: Partial<ListeningOptions> = {}) => {
  const id = JSON.stringify(options);
  gateway = gateways.get(id) ?? (await startTestGateway([engine], options));
  gateways.set(id, gateway);
};

const BODY = JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "Hello" }] });

/** Sends a request without normalizing its target. */
async function ask(method: string, target: string, lines = "", host = "localhost") {
  const body = method === "POST" ? BODY : "";
  const text = await sendRaw(
    gateway.port,
    `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${lines}\r\n${body}`,
  );
  return { status: Number(text.split(" ", 2)[1]), text };
}

describe("spellings of a known path", () => {
  test.each([
    "/v1/chat/completions",
    "/v1/chat/completions/",
    "/v1//chat/completions",
    "//v1/chat//completions//",
    "/v1/chat/%63ompletions",
  ])("%s reaches an engine in normalized form", async (target) => {
    await start();
    expect((await ask("POST", target)).status).toBe(200);
    expect(engine.asked).toEqual(["/v1/chat/completions"]);
  });

  test.each([
    ["POST", "/chat/completions", "/v1/chat/completions"],
    ["POST", "/v1/v1/chat/completions", "/v1/chat/completions"],
    ["POST", "/api/v1/messages", "/v1/messages"],
    ["GET", "/models", "/v1/models"],
  ])("%s %s gets the right path suggested", async (method, target, right) => {
    await start();
    const { status, text } = await ask(method, target);
    expect(status).toBe(404);
    expect(text).toContain(`Did you mean ${right}?`);
    expect(engine.asked).toEqual([]);
  });
});

describe("paths that leave the API", () => {
  test.each([
    "/v1/../admin/workers",
    "/v1/%2e%2e/admin/workers",
    "/v1/%2E./admin/workers",
    "/v1/..%2fadmin/workers",
    "/v1/..%5cadmin/workers",
    "/v1\\..\\admin\\workers",
    "/v1/x/../../admin/workers",
    "http://localhost/v1/../admin/workers",
  ])("%s is rejected", async (target) => {
    await start();
    const { status, text } = await ask("GET", target);
    expect(status).toBe(400);
    expect(text).toMatch(/"code":"bad_(path|http)"/);
  });

  test("dots in a query are allowed", async () => {
    await start();
    expect((await ask("GET", "/v1/models?after=/../x")).status).toBe(200);
  });
});

describe("forwarding to engines", () => {
  test.each([
    ["GET", "/v1/files"],
    ["GET", "/v1/files/file-1/content"],
    ["DELETE", "/v1/responses/resp_1"],
    ["POST", "/v1/batches/b/cancel"],
    ["POST", "/v1/rerank"],
  ])("%s %s is forwarded", async (method, target) => {
    await start();
    await ask(method, `${target}?model=tiny`);
    expect(engine.asked).toEqual([`${target}?model=tiny`]);
  });

  test.each([
    ["POST", "/v1/unknown", 404],
    ["GET", "/v1/internal/state", 404],
    ["POST", "/v1/constructor", 404],
    ["GET", "/v1/rerank", 405],
    ["DELETE", "/v1/models/tiny", 405],
    ["OPTIONS", "/v1/chat/completions", 405],
  ])("%s %s is not forwarded", async (method, target, status) => {
    await start();
    const answer = await ask(method, target);
    expect(answer.status).toBe(status);
    expect(engine.asked).toEqual([]);
    if (status === 404) expect(answer.text).toContain("--pass-all");
  });

  test("with --pass-all, everything under /v1/ is forwarded but what the gateway itself changes", async () => {
    await start({ access: { passesAll: true } });
    for (const path of ["/v1/load_lora_adapter", "/v1/%2Fload_lora_adapter", "/v1/unload_lora_adapter/x"])
      expect((await ask("POST", path)).status).toBeGreaterThanOrEqual(400);
    await ask("POST", "/v1/unknown");
    await ask("PUT", "/v1/unknown/more?model=tiny");
    expect(engine.asked).toEqual(["/v1/unknown", "/v1/unknown/more?model=tiny"]);
  });

  test.each(["", "--pass-all"])(
    "requests that change an engine need an admin key, however the path is spelled %s",
    async (flag) => {
      const key = newKey();
      const hash = formatHash(await hashKey(key, newSalt()));
      await start({ access: { keys: readKeyFile({ keys: [{ id: "one", hash }] }), passesAll: flag !== "" } });
      for (const target of [
        "/v1/load_lora_adapter",
        "/v1//load_lora_adapter",
        "/v1/load_lora_adapter/",
        "/v1/%6coad_lora_adapter",
        "/v1/%2Funload_lora_adapter",
      ]) {
        const { status } = await ask("POST", target, `authorization: Bearer ${key}\r\n`);
        expect([target, status]).toEqual([target, 403]);
      }
      expect(engine.asked).toEqual([]);
    },
  );
});

describe("a gateway on loopback without keys", () => {
  const PATHS = [
    "/v1/models",
    "/metrics",
    "/v1/router/thresholds",
    "/admin/workers",
    "/docs",
    "/openapi.json",
    "/",
  ];

  test.each([
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhos",
  ])("rejects requests for the host %s", async (host) => {
    await start({ access: { hosts: "local" } });
    for (const path of PATHS) {
      const { status, text } = await ask("GET", path, "", host);
      expect([path, status]).toEqual([path, 403]);
      expect(text).toContain('"code":"host_not_allowed"');
    }
    expect((await ask("POST", "/v1/chat/completions", "", host)).status).toBe(403);
    expect(engine.asked).toEqual([]);
  });

  test.each([
    "localhost",
    "localhost:1",
    "127.0.0.1:8000",
    "[::1]:8000",
    "10.1.2.3",
    "stator.localhost",
    "LOCALHOST.",
  ])("answers requests for the host %s", async (host) => {
    await start({ access: { hosts: "local" } });
    for (const path of PATHS) expect((await ask("GET", path, "", host)).status).toBeLessThan(400);
  });

  test("shows readiness to unauthorized clients, without names", async () => {
    await start({ access: { hosts: "local" } });
    const { status, text } = await ask("GET", "/health", "", "evil.example");
    expect(status).toBe(200);
    expect(text).not.toContain("tiny");
    expect((await ask("GET", "/health")).text).toContain("tiny");
  });

  test("that allows every host answers for any host except on /admin", async () => {
    await start();
    for (const path of PATHS)
      expect([path, (await ask("GET", path, "", "stator.example")).status < 400]).toEqual([
        path,
        path !== "/admin/workers",
      ]);
  });
});

test.each(["/health", "/v1/models"])("GET %s in HTTP/1.0 needs no Host", async (path) => {
  await start({ access: { hosts: "local" } });
  expect(await sendRaw(gateway.port, `GET ${path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await sendRaw(gateway.port, `GET ${path} HTTP/1.1\r\nconnection: close\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 400 /,
  );
});

test("a host in the request target overrides the Host header", async () => {
  await start({ access: { hosts: "local" } });
  const askAt = (address: string, host: string) =>
    sendRaw(gateway.port, `GET ${address}/v1/models HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
  expect(await askAt("http://evil.example", "localhost")).toMatch(/^HTTP\/1\.1 403 /);
  expect(await askAt("http://localhost", "evil.example")).toMatch(/^HTTP\/1\.1 200 /);
});
