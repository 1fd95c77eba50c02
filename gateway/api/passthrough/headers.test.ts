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
  test("include the client's key only if it is not for the gateway", async () => {
    const keys = { authorization: "Bearer one", "x-api-key": "two" };
    expect(await forwarded(keys, false)).toEqual({ ...keys, ...OWN });
    expect(await forwarded(keys, true)).toEqual(OWN);
  });

  test("exclude hop-by-hop headers, cookies and browsers' CORS headers", async () => {
    const headers = {
      cookie: "a=b",
      origin: "https://page.example",
      "proxy-authorization": "x",
      accept: "*/*",
    };
    expect(await forwarded(headers, false)).toEqual({ accept: "*/*", ...OWN });
  });

  test("exclude the client's data-parallel rank, which the router chooses", async () => {
    expect(await forwarded({ "X-Data-Parallel-Rank": "7" }, false)).toEqual(OWN);
  });

  test("append the gateway to the request's via header", async () => {
    expect(await forwarded({ via: "1.1 proxy, 1.0 b" }, false)).toEqual({
      ...OWN,
      via: "1.1 proxy, 1.0 b, 1.1 stator-a",
    });
  });
});

describe("headers of an engine", () => {
  test("cannot enable CORS, set cookies or reveal the engine's address", () => {
    const passed = answerHeaders([
      ["content-type", "application/json"],
      ["access-control-allow-origin", "*"],
      ["set-cookie", "a=b"],
      ["location", "http://10.0.0.5:8001/login"],
    ]);
    expect(passed).toEqual([["content-type", "application/json"]]);
  });

  test("may redirect the client to another path of the API", () => {
    expect(answerHeaders([["location", "http://10.0.0.5:8001/base/v1/files/?a=1"]])).toEqual([
      ["location", "/v1/files/?a=1"],
    ]);
  });
});
