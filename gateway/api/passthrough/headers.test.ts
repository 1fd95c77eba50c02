import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { answerHeaders, forwardedHeaders } from "./headers.ts";

async function forwarded(headers: Record<string, string>, hidesKeys: boolean) {
  const app = new Hono().get("/", (context) =>
    context.json(forwardedHeaders(context, { requestId: "id-1", via: "1.1 stator-a", hidesKeys })),
  );
  const response = await app.request("/", { headers });
  return Object.fromEntries((await response.json()) as [string, string][]);
}

const OWN = { "x-request-id": "id-1", "accept-encoding": "identity", via: "1.1 stator-a" };

describe("headers for an engine", () => {
  test("have the client's key only where it is not for the gateway", async () => {
    const keys = { authorization: "Bearer one", "x-api-key": "two" };
    expect(await forwarded(keys, false)).toEqual({ ...keys, ...OWN });
    expect(await forwarded(keys, true)).toEqual(OWN);
  });

  test("have nothing of the client's connection, of cookies or of browsers' questions", async () => {
    const headers = {
      cookie: "a=b",
      origin: "https://page.example",
      "proxy-authorization": "x",
      accept: "*/*",
    };
    expect(await forwarded(headers, false)).toEqual({ accept: "*/*", ...OWN });
  });

  test("name the gateway behind those that the request has come through", async () => {
    expect(await forwarded({ via: "1.1 proxy, 1.0 b" }, false)).toEqual({
      ...OWN,
      via: "1.1 proxy, 1.0 b, 1.1 stator-a",
    });
  });
});

describe("headers of an engine", () => {
  test("do not open the answer to browsers, set cookies or name the engine's address", () => {
    const passed = answerHeaders([
      ["content-type", "application/json"],
      ["access-control-allow-origin", "*"],
      ["set-cookie", "a=b"],
      ["location", "http://10.0.0.5:8001/login"],
    ]);
    expect(passed).toEqual([["content-type", "application/json"]]);
  });

  test("may send the client to another path of the API", () => {
    expect(answerHeaders([["location", "http://10.0.0.5:8001/base/v1/files/?a=1"]])).toEqual([
      ["location", "/v1/files/?a=1"],
    ]);
  });
});
