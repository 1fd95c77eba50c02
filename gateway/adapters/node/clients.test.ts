import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_SERVER_LIMITS, type ListeningOptions, type ServerLimits } from "../listening.ts";
import { answerWhole, sendRaw, startTestGateway, TestEngine, type TestGateway } from "./test-gateway.ts";

let engine: TestEngine;
let gateway: TestGateway;
const sockets: Socket[] = [];

beforeAll(async () => {
  engine = await TestEngine.start(["tiny"]);
});
afterAll(() => engine.close());
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  engine.answer = answerWhole;
  engine.asked.length = 0;
  await gateway.drain(0);
});

const start = async (limits: Partial<ServerLimits> = {}, options: Partial<ListeningOptions> = {}) => {
  gateway = await startTestGateway([engine], {
    serverLimits: { ...DEFAULT_SERVER_LIMITS, ...limits },
    ...options,
  });
};

const BODY = JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "Hello" }] });
const head = (version = "1.1", lines = "") =>
  `POST /v1/chat/completions HTTP/${version}\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n${lines}\r\n`;

/** A connection, the text received over it, and a promise for the server closing it. */
async function open() {
  const socket = connect({ port: gateway.port, host: "127.0.0.1", allowHalfOpen: true });
  sockets.push(socket);
  await once(socket, "connect");
  const seen = { text: "" };
  socket.on("data", (data) => {
    seen.text += data;
  });
  socket.on("error", () => {});
  return { socket, seen, ended: new Promise((resolve) => socket.once("end", resolve)) };
}

/** Answers that the engine holds back until the test calls them. */
function held() {
  const answers: (() => void)[] = [];
  let gone = 0;
  engine.answer = (request, response) => {
    response.once("close", () => {
      if (!response.writableFinished) gone++;
    });
    answers.push(() => answerWhole(request, response));
  };
  return { answers, gone: () => gone };
}

describe("a client that has closed its side", () => {
  test("gets its answer, however long it takes", async () => {
    await start();
    const { answers } = held();
    const { socket, seen, ended } = await open();
    socket.end(head() + BODY);
    await expect.poll(() => answers.length).toBe(1);
    // Until the server has checked twice whether the client is still connected.
    await expect
      .poll(() => seen.text.match(/HTTP\/1\.1 100 Continue\r\n\r\n/g)?.length ?? 0)
      .toBeGreaterThan(1);
    answers[0]!();
    await ended;
    expect(seen.text.replace(/^(HTTP\/1\.1 100 Continue\r\n\r\n)+/, "")).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(seen.text).toContain("Hello.");
  });

  test("or disconnected has its request cancelled at the engine", async () => {
    await start();
    const { answers, gone } = held();
    const { socket } = await open();
    socket.write(head() + BODY);
    await expect.poll(() => answers.length).toBe(1);
    socket.destroy();
    await expect.poll(gone).toBe(1);
    await expect
      .poll(async () => (await fetch(`${gateway.url}/metrics`)).text())
      .toMatch(/stator_requests_total\{[^}]*status="499"[^}]*\} 1/);
  });

  test("during a silent stream counts as disconnected", async () => {
    await start();
    const gone = new Promise<void>((resolve) => {
      engine.answer = (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" }).write('data: {"object":"a"}\n\n');
        response.once("close", resolve);
      };
    });
    const { socket, seen } = await open();
    socket.write(head() + BODY);
    await expect.poll(() => seen.text).toContain('{"object":"a"}');
    socket.end();
    await gone;
  });

  test("of HTTP/1.0 counts as disconnected if the answer does not come at once", async () => {
    await start();
    const { answers, gone } = held();
    const { socket, seen, ended } = await open();
    socket.end(head("1.0") + BODY);
    await expect.poll(() => answers.length).toBe(1);
    await expect.poll(gone).toBe(1);
    await ended;
    expect(seen.text).toBe("");
    expect(await sendRaw(gateway.port, "GET /live HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("a client that is late", () => {
  test.each([
    ["with everything", ""],
    ["with its headers", "GET /live HTTP/1.1\r\nhost: localhost\r\nx-slow: "],
    ["with its body", head()],
  ])("%s gets 408, and its connection is closed even if it keeps it open", async (_, text) => {
    await start({ headerMs: 200, bodyMs: 400 });
    const { socket, seen, ended } = await open();
    if (text !== "") socket.write(text);
    await ended;
    expect(seen.text).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"bad_http"/);
    // The socket here stays half open; the gateway's does not.
    while (socket.writable) {
      socket.write("x");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  test("only because the gateway itself stalled is not late", async () => {
    await start({ headerMs: 400, bodyMs: 800 });
    const { socket, seen } = await open();
    socket.write("GET /live HTTP/1.1\r\nhost: localhost\r\n");
    await new Promise((resolve) => setTimeout(resolve, 50));
    // Blocks both ends of the connection; Node checks for late requests before it reads anything.
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 900;
    while (performance.now() < until);
    socket.write("\r\n");
    await expect.poll(() => seen.text).not.toBe("");
    expect(seen.text).toMatch(/^HTTP\/1\.1 200 /);
  });
});

test("garbage after a request does not corrupt the answer to that request", async () => {
  await start();
  const finish: (() => void)[] = [];
  engine.answer = (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write('data: {"object":"a"}\n\n');
    finish.push(() => response.end("data: [DONE]\n\n"));
  };
  const { socket, seen, ended } = await open();
  socket.write(head() + BODY);
  await expect.poll(() => seen.text).toContain('{"object":"a"}');
  socket.write("\u0000\u0001 no HTTP\r\n\r\n");
  await new Promise((resolve) => setTimeout(resolve, 50));
  finish[0]!();
  await ended;
  expect(seen.text).toMatch(/\[DONE\]\n\n\r\n0\r\n\r\n$/);
  expect(seen.text).not.toContain("HTTP/1.1 400");
});

describe("a gateway that drains", () => {
  test("answers requests in flight with 'connection: close', and cuts off none", async () => {
    await start();
    const { answers } = held();
    const [idle, asked, coming, late] = [await open(), await open(), await open(), await open()];
    for (const { socket, seen } of [idle, late]) {
      socket.write("GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await expect.poll(() => seen.text).toContain("alive");
      seen.text = "";
    }
    asked.socket.write(head() + BODY);
    await expect.poll(() => answers.length).toBe(1);
    coming.socket.write(head().slice(0, 30));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const drained = gateway.drain(10_000);
    late.socket.write("GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n");
    coming.socket.write(head().slice(30) + BODY);
    await expect.poll(() => answers.length).toBe(2);
    await late.ended;
    await idle.ended;
    for (const answer of answers) answer();
    await Promise.all([asked.ended, coming.ended]);
    expect(idle.seen.text).toBe("");
    for (const { seen } of [asked, coming, late]) {
      expect(seen.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(seen.text).toMatch(/\r\nconnection: close\r\n/i);
    }
    await drained;
  });

  test("answers every pipelined request", async () => {
    await start();
    const { answers } = held();
    const { socket, seen, ended } = await open();
    socket.write(head() + BODY + head() + BODY);
    await expect.poll(() => answers.length).toBe(2);
    gateway.beginDrain();
    socket.write(head() + BODY);
    await expect.poll(() => answers.length).toBe(3);
    for (const answer of answers) answer();
    await ended;
    const heads = seen.text.match(/HTTP\/1\.1 200 OK\r\n[\s\S]*?\r\n\r\n/g) ?? [];
    expect(heads.map((text) => /\r\nconnection: close\r\n/i.test(text))).toEqual([false, false, true]);
  });

  test("announces it first: readiness is 503, requests are answered, and each answer closes its connection", async () => {
    await start();
    gateway.beginDrain();
    const health = await fetch(`${gateway.url}/health`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ status: "draining" });
    const { socket, seen, ended } = await open();
    socket.write(head() + BODY);
    await ended;
    expect(seen.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(seen.text).toMatch(/\r\nconnection: close\r\n/i);
  });
});
