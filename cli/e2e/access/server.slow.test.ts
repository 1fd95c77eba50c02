import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { stall } from "../../../scripts/testing/stall.ts";
import { StandInProcess } from "../attach/stand-in-process.ts";
import type { StatorProcess } from "../stator-process.ts";
import { type Attached, ask, attach, chat } from "./attached.ts";
import { startFirehose } from "./firehose.ts";
import { rawRequest, rawSocket, readAll } from "./raw.ts";

let engine: StandInProcess;
let stator: StatorProcess | undefined;
let url: string;
/** A gateway without extra flags. */
let plain: Attached;

beforeAll(async () => {
  engine = await StandInProcess.start("vllm", "--inter-token-ms=10");
  plain = await attach([engine.url]);
});

afterAll(() => plain.stator.stop());

const start = async (...flags: string[]) => {
  ({ stator, url } = await attach([engine.url], ...flags));
};

afterEach(async () => {
  await stator?.stop();
  stator = undefined;
});

const post = (body: string, path = "/v1/chat/completions") =>
  `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe("a client", () => {
  test("that sends its headers or body too slowly is disconnected, and others are answered", async () => {
    await start(`--header-timeout=${0.5 * stall()}`, `--body-timeout=${stall()}`);
    const drip = async (head: string) => {
      const socket = await rawSocket(url);
      socket.write(head);
      const drops = setInterval(() => socket.write("x"), 50);
      const answer = await readAll(socket);
      clearInterval(drops);
      return answer;
    };
    const slow = [
      drip("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-slow: "),
      drip(post(" ".repeat(10_000)).slice(0, 200)),
      drip(""),
    ];
    expect((await ask(`${url}/v1/chat/completions`, { json: chat() })).status).toBe(200);
    const [headers, body, nothing] = await Promise.all(slow);
    expect(headers).toMatch(/^HTTP\/1.1 408 [\s\S]*bad_http/);
    expect(body).toMatch(/^HTTP\/1.1 408 /);
    expect(nothing).toMatch(/^HTTP\/1.1 4/);
    const silent = await rawSocket(url);
    await readAll(silent);
  });

  test("whose headers are too large is refused", async () => {
    await start("--header-limit=2048");
    const answer = await rawRequest(
      url,
      `GET /live HTTP/1.1\r\nhost: x\r\nx-large: ${"x".repeat(4000)}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  test("that does not read its answer is disconnected, and its request to the engine aborted", async () => {
    const firehose = await startFirehose();
    ({ stator, url } = await attach([firehose.url], "--client-timeout=0.5", "--translate=never"));
    const socket = await rawSocket(url);
    socket.pause();
    socket.write(post(JSON.stringify(chat({ stream: true })), "/v1/messages"));
    await firehose.cutOff();
    const closed = once(socket, "close");
    socket.resume();
    await closed;
    await firehose.close();
  });

  test("beyond --max-connections is turned away", async () => {
    await start("--max-connections=2");
    const held = [await rawSocket(url), await rawSocket(url)];
    const late = await rawSocket(url);
    expect(await readAll(late)).toBe("");
    for (const socket of held) socket.destroy();
  });
});

test("requests beyond --max-inflight are refused until one ends, and /health is not", async () => {
  await start("--max-inflight=1");
  await engine.faults({ hangAfterTokens: 1 });
  const first = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(chat({ stream: true })),
  });
  const second = await ask(`${url}/v1/chat/completions`, { json: chat() });
  expect([second.status, second.body.error?.code]).toEqual([503, "server_busy"]);
  expect(second.headers.get("retry-after")).toBe("1");
  expect((await ask(`${url}/health`)).status).toBe(200);
  await engine.faults({});
  await first.text();
  expect((await ask(`${url}/v1/chat/completions`, { json: chat() })).status).toBe(200);
  // Requests that are refused early release their slot too.
  expect((await ask(`${url}/v1/chat/completions`, { json: chat({ model: "none" }) })).status).toBe(404);
  expect((await ask(`${url}/v1/chat/completions`, { json: chat() })).status).toBe(200);
});

describe("web pages", () => {
  const origin = "https://chat.example.com";
  const preflight = { origin, "access-control-request-method": "POST" };

  test("of other origins are refused", async () => {
    const { url } = plain;
    const { status, headers } = await ask(`${url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: preflight,
    });
    expect([status, headers.get("access-control-allow-origin")]).toEqual([405, null]);
    const answer = await ask(`${url}/v1/chat/completions`, { json: chat(), headers: { origin } });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("of the origins in --cors can send requests, and read streams and errors", async () => {
    await start(`--cors=${origin},http://localhost:3000`);
    const asked = await ask(`${url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: { ...preflight, "access-control-request-headers": "authorization, content-type" },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers.get("access-control-allow-origin")).toBe(origin);
    expect(asked.headers.get("access-control-allow-headers")).toBe("authorization, content-type");
    for (const json of [chat(), chat({ stream: true }), chat({ model: "none" })]) {
      const { headers } = await ask(`${url}/v1/chat/completions`, { json, headers: { origin } });
      expect(headers.get("access-control-allow-origin")).toBe(origin);
      expect(headers.get("vary")).toBe("origin");
    }
    const { headers } = await ask(`${url}/v1/models`, { headers: { origin } });
    expect(headers.get("access-control-allow-origin")).toBe(origin);
    const foreign = await ask(`${url}/v1/models`, { headers: { origin: "https://evil.example" } });
    expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("engines are sent", () => {
  test.each([
    "/v1/../metrics",
    "/v1/%2e%2e/metrics",
    "/v1/..%2fmetrics",
    "/v1/x/%2E./../metrics",
    "/v1/%2e%2e%5cmetrics",
  ])("only under /v1, and not at %s", async (path) => {
    const { url } = plain;
    const answer = await rawRequest(
      url,
      `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 [24]00 /);
    expect(answer).not.toContain("vllm:");
  });

  test("no request that would make them fetch from a private network", async () => {
    const { url } = plain;
    const json = chat({
      messages: [
        {
          role: "user",
          content: [{ type: "image_url", image_url: { url: "http://169.254.169.254/latest" } }],
        },
      ],
    });
    const { status, body } = await ask(`${url}/v1/chat/completions`, { json });
    expect([status, body.error?.code]).toEqual([400, "media_url_not_allowed"]);
    expect(body.error?.param).toBe("messages[0].content[0].image_url");
  });
});
