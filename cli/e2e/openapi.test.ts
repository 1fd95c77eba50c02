import { globSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  answerWhole,
  startTestGateway,
  TestEngine,
  type TestGateway,
} from "../../gateway/adapters/node/test-gateway.ts";
import { CONVERSATION_ROUTES } from "../../gateway/api/conversations/routes.ts";
import { ENDPOINTS } from "../../gateway/api/endpoints.ts";
import { STORED_ROUTES } from "../../gateway/api/responses/stored.ts";
import { openEcho } from "../../workers/echo/engine.ts";
import { type OwnGateway, startOwnGateway } from "./workers/own-gateway.ts";

/** Compares `/openapi.json` with what the routes really answer. */
const documentSchema = z.object({
  openapi: z.literal("3.1.0"),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({ responses: z.record(z.string(), z.object({ description: z.string().min(1) })) }),
    ),
  ),
});
const errorSchema = z.strictObject({
  error: z.strictObject({
    message: z.string().min(1),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

let own: OwnGateway;
let attached: TestGateway;
let engine: TestEngine;
let paths: z.infer<typeof documentSchema>["paths"];

beforeAll(async () => {
  own = await startOwnGateway({ echo: openEcho() });
  engine = await TestEngine.start();
  attached = await startTestGateway([engine]);
  ({ paths } = documentSchema.parse(await (await fetch(`${own.url}/openapi.json`)).json()));
});

afterAll(async () => {
  await attached.drain(0);
  await engine.close();
});

const json = { "content-type": "application/json" };
const post = (body: unknown, headers: Record<string, string> = json): RequestInit => ({
  method: "POST",
  headers,
  body: typeof body === "string" ? body : JSON.stringify(body),
});

describe("every answer is described", () => {
  const asked = { model: "echo", messages: [{ role: "user", content: "Hi" }] };
  const completion = { model: "echo", prompt: "Hi" };

  test.each<[status: number, path: string, init?: RequestInit, url?: string]>([
    [200, "/v1/chat/completions", post(asked)],
    [400, "/v1/chat/completions", post({ model: "echo" })],
    [404, "/v1/chat/completions", post({ ...asked, model: "ecco" })],
    [413, "/v1/chat/completions", post(" ".repeat(1_000_001))],
    [415, "/v1/chat/completions", post(asked, { "content-type": "text/plain" })],
    [415, "/v1/completions", post(completion, { ...json, "content-encoding": "gzip" })],
    [504, "/v1/completions", post({ ...completion, max_tokens: 8000, stator: { deadline_ms: 1 } })],
    [431, "/v1/completions", post(completion, { ...json, "x-long": "a".repeat(100_000) })],
    [400, "/v1/embeddings", post({ model: "echo", input: "Hi" })],
    [400, "/v1/audio/transcriptions", { method: "POST", body: new FormData() }],
    [415, "/v1/audio/transcriptions", post({ model: "echo" })],
    [415, "/v1/audio/translations", post({ model: "echo" })],
    [200, "/v1/models"],
    [200, "/v1/models/{id}", {}, "/v1/models/echo"],
    [404, "/v1/models/{id}", {}, "/v1/models/none"],
    [200, "/v1/router/decisions"],
    [400, "/v1/router/decisions", {}, "/v1/router/decisions?limit=0"],
    [404, "/v1/router/decisions", {}, "/v1/router/decisions?model=none"],
    [404, "/v1/router/decisions/{request_id}", {}, "/v1/router/decisions/none"],
    [400, "/v1/router/decisions/{request_id}", {}, "/v1/router/decisions/none?limit=1"],
    [200, "/v1/router/thresholds"],
    [400, "/v1/router/thresholds", {}, "/v1/router/thresholds?models=none"],
    [404, "/v1/router/thresholds", {}, "/v1/router/thresholds?model=none"],
    [200, "/v1/router/thresholds", post({})],
    [400, "/v1/router/thresholds", post({ queue_threshold: -1 })],
    [404, "/v1/router/thresholds", post({ model: "none" })],
    [413, "/v1/router/thresholds", post(" ".repeat(1_000_001))],
    [415, "/v1/router/thresholds", post({}, { "content-type": "text/plain" })],
    [200, "/admin/workers"],
    [400, "/admin/workers", {}, "/admin/workers?a=b"],
    [400, "/admin/workers", post({ url: 5 })],
    [413, "/admin/workers", post(" ".repeat(1_000_001))],
    [415, "/admin/workers", post({}, { "content-type": "text/plain" })],
    [404, "/admin/workers/{name}", {}, "/admin/workers/none"],
    [400, "/admin/workers/{name}", {}, "/admin/workers/none?a=b"],
    [404, "/admin/workers/{name}", { method: "DELETE" }, "/admin/workers/none"],
    [400, "/admin/workers/{name}", { method: "DELETE" }, "/admin/workers/none?a=b"],
    [400, "/admin/doctor", post({ timeout_ms: 1 })],
    [413, "/admin/doctor", post(" ".repeat(1_000_001))],
    [415, "/admin/doctor", post({}, { "content-type": "text/plain" })],
    [200, "/health"],
    [200, "/live"],
    [200, "/metrics"],
    [200, "/openapi.json"],
    [200, "/docs"],
  ])("%i of %s", async (status, path, init = {}, url = path) => {
    await holds(own.url, status, path, init, url);
  });

  test("201, 409 and 202 of /admin/workers", async () => {
    const name = "second";
    const attach = post({ url: "http://127.0.0.1:1", name, wait_ms: 0 });
    await holds(attached.url, 201, "/admin/workers", attach);
    await holds(attached.url, 409, "/admin/workers", attach);
    await holds(attached.url, 202, "/admin/workers/{name}", { method: "DELETE" }, `/admin/workers/${name}`);
  });

  test("502 for a failed engine, and 503 without any model", async () => {
    engine.answer = (_request, response) => void response.destroy();
    await holds(attached.url, 502, "/v1/chat/completions", post({ ...asked, model: "tiny" }));
    const empty = await startOwnGateway({});
    await holds(empty.url, 503, "/v1/chat/completions", post(asked));
    await holds(empty.url, 503, "/v1/models/{id}", {}, "/v1/models/echo");
    await holds(empty.url, 503, "/v1/router/thresholds", {}, "/v1/router/thresholds?model=echo");
    await holds(empty.url, 503, "/v1/router/decisions", {}, "/v1/router/decisions?model=echo");
    await holds(empty.url, 503, "/health", {});
  });

  async function holds(base: string, status: number, path: string, init: RequestInit, url = path) {
    const response = await fetch(base + url, init);
    expect(response.status).toBe(status);
    const operation = paths[path]?.[(init.method ?? "GET").toLowerCase()];
    expect(Object.keys(operation?.responses ?? {})).toContain(String(status));
    const body = await response.text();
    if (status >= 400 && path !== "/health") errorSchema.parse(JSON.parse(body));
  }
});

const root = `${import.meta.dirname}/../..`;
const sources = globSync("gateway/**/*.ts", { cwd: root }).filter(
  (path) => !/\.(test|suite)\.ts$/.test(path),
);
const source = sources.map((path) => readFileSync(`${root}/${path}`, "utf8")).join("\n");

test("every error status of the gateway is described", () => {
  const made = [...source.matchAll(/new ApiError\(\s*(\d{3}),/g)].map(([, status]) => status!);
  expect(made.length).toBeGreaterThan(20);
  const described = new Set(
    Object.values(paths).flatMap((path) =>
      Object.values(path).flatMap((each) => Object.keys(each.responses)),
    ),
  );
  // No client sees a 499; 405 is for methods that are not described.
  const known = new Set([...described, "499", "405"]);
  expect(made.filter((status) => !known.has(status))).toEqual([]);
});

test("every gateway route is described, and every described route exists", async () => {
  const routes = [...source.matchAll(/\bapp\.(get|post|delete|patch|put)\("([^"]+)"/g)].map(
    ([, method, path]) =>
      `${method} ${path!.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}").replace("decisions/{id}", "decisions/{request_id}")}`,
  );
  for (const [method, path] of [...STORED_ROUTES, ...CONVERSATION_ROUTES])
    routes.push(`${method.toLowerCase()} ${path.replace(/:(\w+)/g, "{$1}")}`);
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const isOfTable = (route: string) => route.startsWith("post ") && ENDPOINTS.has(route.slice(5));
  expect(routes.filter((route) => route !== "get /").sort()).toEqual(
    described.filter((route) => !isOfTable(route)).sort(),
  );
  expect(described.filter(isOfTable).sort()).toEqual(
    [...ENDPOINTS.keys()].map((path) => `post ${path}`).sort(),
  );
});

test("every path of the endpoint table is described: engines serve all, workers those with `own`", async () => {
  engine.answer = answerWhole;
  for (const [path, { own: ownEndpoint }] of ENDPOINTS) {
    const passed = await fetch(attached.url + path, post({ model: "tiny" }));
    expect([path, passed.status]).toEqual([path, 200]);
    await passed.body?.cancel();
    const answered = await fetch(own.url + path, post({ model: "echo" }));
    const refusal = ownEndpoint?.isForm ? 415 : 400;
    expect([path, answered.status]).toEqual([path, ownEndpoint === undefined ? 404 : refusal]);
    await answered.body?.cancel();
  }
});
