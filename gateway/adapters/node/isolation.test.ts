import { afterEach, describe, expect, test } from "vitest";
import type { ListeningOptions } from "../listening.ts";
import {
  answerWhole,
  answerWith,
  sendRaw,
  startTestGateway,
  TestEngine,
  type TestGateway,
} from "./test-gateway.ts";

const engines: TestEngine[] = [];
let gateway: TestGateway;

afterEach(async () => {
  await gateway.drain(0);
  for (const engine of engines.splice(0)) await engine.close();
});

async function start(
  models: readonly string[],
  options: Partial<ListeningOptions> = {},
): Promise<TestEngine> {
  const engine = await TestEngine.start(models);
  engines.push(engine);
  gateway = await startTestGateway(engines, options);
  return engine;
}

const chat = (model: string, more: object = {}) =>
  fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stator-explain": "true" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }], ...more }),
  });

/** Waits until no request holds a slot or load. */
async function isIdle(): Promise<void> {
  await expect
    .poll(async () => {
      const text = await (await fetch(`${gateway.url}/metrics`)).text();
      return text.match(/^stator_(inflight_requests|worker_active_\w+)\{[^}]*\} [^0].*$/gm) ?? [];
    })
    .toEqual([]);
}

describe("an engine's header", () => {
  test.each([
    ["with a control character", "x-note: a\u0001b\r\n"],
    ["with DEL", "x-note: a\u007fb\r\n"],
    ["with the gateway's own prefix", "x-stator-note: a\r\n"],
  ])("%s is dropped", async (_, lines) => {
    const engine = await start(["tiny"]);
    engine.answer = answerWith(`${lines}x-kept: yes\r\n`);
    const response = await chat("tiny");
    expect(response.status).toBe(200);
    expect(response.headers.has("x-note")).toBe(false);
    expect(response.headers.has("x-stator-note")).toBe(false);
    expect(response.headers.get("x-kept")).toBe("yes");
    await isIdle();
    expect(gateway.logged).toEqual([]);
  });

  test("in raw UTF-8 is passed on unchanged", async () => {
    const engine = await start(["tiny"]);
    engine.answer = answerWith(`x-model: ${Buffer.from("深").toString("latin1")}\r\n`);
    const response = await chat("tiny");
    expect(Buffer.from(response.headers.get("x-model") ?? "", "latin1").toString()).toBe("深");
  });
});

describe("non-ASCII names", () => {
  test("of engines and fallbacks are percent-encoded, and accepted in that form", async () => {
    const engine = await TestEngine.start(["模型/小"]);
    engines.push(engine);
    gateway = await startTestGateway([], {
      engines: [{ url: engine.url, name: "引擎 100%" }],
      modelNames: { aliases: new Map(), fallbacks: new Map([["other", ["模型/小"]]]) },
    });
    await expect.poll(async () => (await fetch(`${gateway.url}/health`)).status).toBe(200);
    const response = await chat("other");
    expect(response.status).toBe(200);
    const worker = response.headers.get("x-stator-worker");
    expect(worker).toBe("%E5%BC%95%E6%93%8E 100%25");
    expect(response.headers.get("x-stator-model")).toBe("%E6%A8%A1%E5%9E%8B/%E5%B0%8F");
    for (const name of [worker!, Buffer.from("引擎 100%").toString("latin1")]) {
      const text = JSON.stringify({ model: "模型/小", messages: [{ role: "user", content: "Hello" }] });
      const answer = await sendRaw(
        gateway.port,
        `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\nx-stator-worker: ${name}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${Buffer.from(text).toString("latin1")}`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    }
  });
});

describe("a request that fails", () => {
  test.each(["constructor", "__proto__", "toString", "hasOwnProperty"])(
    "POST /v1/%s is just an unknown route, and frees its slot",
    async (name) => {
      await start(["tiny"], { access: { maxInflight: 1 } });
      for (let round = 0; round < 3; round++) {
        const response = await fetch(`${gateway.url}/v1/${name}`, { method: "POST", body: "x" });
        expect(response.status).toBeLessThan(500);
        await response.text();
      }
      expect((await chat("tiny")).status).toBe(200);
      await isIdle();
    },
  );

  test("frees its slot if no route matches", async () => {
    gateway = await startTestGateway([], { access: { maxInflight: 1 } });
    for (let round = 0; round < 3; round++) {
      const response = await fetch(`${gateway.url}/v1/no/such/route`, { method: "POST", body: "x" });
      expect(response.status).toBe(404);
    }
  });

  test("because of an internal error fails alone, is logged once, and frees its resources", async () => {
    const engine = await start(["tiny"], { access: { maxInflight: 1 } });
    const model = gateway.models.find("tiny")!.model;
    const { observe } = model.metrics.timeToFirstToken;
    let faults = 1;
    model.metrics.timeToFirstToken.observe = function (value) {
      if (faults-- > 0) throw new Error("no observing today");
      observe.call(this, value);
    };
    const response = await chat("tiny");
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: { code: "internal_error" } });
    expect(gateway.logged.filter((line) => line.includes("no observing today"))).toHaveLength(1);
    engine.answer = answerWhole;
    expect((await chat("tiny")).status).toBe(200);
    await isIdle();
  });
});

test.each(["TRACE", "PROPFIND"])("%s / is rejected", async (method) => {
  await start(["tiny"]);
  const answer = await sendRaw(
    gateway.port,
    `${method} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 40[45] /);
});
