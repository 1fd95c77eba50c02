import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { stall } from "../../scripts/testing/stall.ts";
import { createEngineApi, EngineApiError, type EngineApiErrorCode, probeEngine } from "./index.ts";
import { type Answer, serveAnswers } from "./test-server.ts";

async function failure(work: Promise<unknown>): Promise<EngineApiError> {
  const error = await work.then(
    () => new Error("It worked."),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(EngineApiError);
  return error as EngineApiError;
}

const html = "<!doctype html><title>Welcome to nginx!</title>";

describe("a request to an engine", () => {
  test("returns the answer's JSON, and sends the key", async () => {
    await using server = await serveAnswers({
      "/version": (request, response) => void response.end(JSON.stringify([request.headers.authorization])),
    });
    const api = createEngineApi(`${server.url}/v1/`, { apiKey: "secret" });
    expect(api.url).toBe(server.url);
    expect(await api.getJson("/version")).toEqual(["Bearer secret"]);
  });

  test.each([404, 405, 501])(
    "returns undefined if status %i means that the route does not exist",
    async (status) => {
      await using server = await serveAnswers({
        "/x": (_, response) => void response.writeHead(status).end("{}"),
      });
      const api = createEngineApi(server.url);
      expect(await api.getJson("/x")).toBeUndefined();
      expect(await api.postJson("/x", {})).toBeUndefined();
      expect(await api.getText("/x")).toBeUndefined();
    },
  );

  const broken: [string, EngineApiErrorCode, Answer][] = [
    ["HTML", "not_readable", html],
    ["an error", "bad_status", (_, response) => void response.writeHead(503).end("loading")],
    [
      "a redirect",
      "bad_status",
      (_, response) => void response.writeHead(302, { location: "http://127.0.0.1:9/" }).end(),
    ],
    ["only a head", "timeout", (_, response) => void response.writeHead(200).write("{")],
    ["nothing", "timeout", () => {}],
    ["a closed connection", "unreachable", (request) => void request.socket.destroy()],
    [
      "half an answer",
      "unreachable",
      (request, response) => void response.write("{", () => request.socket.destroy()),
    ],
    [
      "endless bytes",
      "too_large",
      (_, response) => {
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(65_536)));
        };
        response.on("drain", more);
        more();
      },
    ],
  ];

  test.each(broken)("that is answered with %s fails with %s", async (_, code, answer) => {
    await using server = await serveAnswers({ "/x": answer });
    const api = createEngineApi(server.url, { timeoutMs: 500 * stall(), maxBytes: 2 ** 20 });
    const error = await failure(api.getJson("/x"));
    expect(error.code).toBe(code);
    expect(error.message).toContain(`${server.url}/x`);
  });

  test("fails with unreachable if nothing listens or the server does not speak HTTP", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {}).once("data", () => socket.end("\0\x01garbage\r\n\r\n"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const api = createEngineApi(`http://127.0.0.1:${port}`, { timeoutMs: 2_000 * stall() });
    const { code, message } = await failure(api.getText("/metrics"));
    expect(code).toBe("unreachable");
    expect(message).toContain("if it speaks TLS, try https://");
    await new Promise((resolve) => server.close(resolve));
    expect((await failure(api.getText("/metrics"))).code).toBe("unreachable");
  });
});

describe("the probe of", () => {
  test("a plain OpenAI server returns its models and its limitations", async () => {
    await using server = await serveAnswers({ "/v1/models": { data: [{ id: "a" }, { id: "b" }] } });
    const { adapter, profile } = await probeEngine(createEngineApi(server.url));
    expect(adapter.kind).toBe("openai");
    expect(profile.models.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(profile.limitations.map(({ code }) => code)).toEqual(["kv-events", "tokenizer", "load"]);
    expect(new Set(server.requests).size).toBe(server.requests.length);
  });

  test("a web server without models fails with the missing route", async () => {
    await using server = await serveAnswers({ "/metrics": html });
    const error = await failure(probeEngine(createEngineApi(server.url)));
    expect(error.code).toBe("not_readable");
    expect(error.message).toContain("/v1/models");
  });

  test("a web server with the same answer for every path fails", async () => {
    const answers = ["/v1/models", "/metrics", "/version", "/props", "/server_info", "/get_server_info"];
    await using server = await serveAnswers(Object.fromEntries(answers.map((path) => [path, html])));
    expect((await failure(probeEngine(createEngineApi(server.url)))).code).toBe("not_readable");
  });

  test("a server that hangs fails in time", async () => {
    await using server = await serveAnswers({ "/v1/models": () => {} });
    const api = createEngineApi(server.url, { timeoutMs: 200 });
    expect((await failure(probeEngine(api))).code).toBe("timeout");
  });
});
