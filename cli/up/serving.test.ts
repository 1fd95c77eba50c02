import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { untilServing } from "./serving.ts";

const WORKER = { kind: "worker", status: "ready" };
const ENGINE = { kind: "engine", status: "ready" };

/** A server that gives one of these answers to each request, and the last one from then on. */
async function serve(...answers: ((response: ServerResponse) => void)[]) {
  let asked = 0;
  const server = createServer((_request, response) =>
    answers[Math.min(asked++, answers.length - 1)]!(response),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
  };
}

const health = (status: string, ...workers: object[]) => json({ models: [{ status, workers }] });
const json = (body: object) => (response: ServerResponse) => void response.end(JSON.stringify(body));
const broken = (response: ServerResponse) => void response.destroy();
const garbage = (response: ServerResponse) => void response.end("<html>");

const { signal } = new AbortController();

test("processes that do not answer, or answer garbage, are asked again", async () => {
  const gateway = await serve(broken, garbage, health("ready", WORKER));
  const worker = await serve(broken, garbage, json({ model: "tiny" }));
  const urls = new Map([
    ["gateway", gateway.url],
    ["echo-0", worker.url],
  ]);
  expect(await untilServing(urls, 1, signal)).toEqual({ model: "tiny" });
});

test("a restarted process is asked at its new address", async () => {
  const worker = await serve(json({ model: "tiny" }));
  const urls = new Map<string, string>();
  const before = await serve((response) => {
    urls.set("gateway", after.url);
    response.destroy();
  });
  const after = await serve((response) => {
    urls.set("echo-0", worker.url);
    health("ready", WORKER)(response);
  });
  urls.set("gateway", before.url).set("echo-0", before.url);
  expect(await untilServing(urls, 1, signal)).toEqual({ model: "tiny" });
  expect(after.asked()).toBeGreaterThan(0);
});

test("attached engines do not count as workers", async () => {
  const worker = await serve(json({ model: "tiny" }));
  const connecting = { kind: "worker", status: "connecting" };
  const early = await serve(
    health("ready", ENGINE, connecting),
    health("starting", WORKER),
    health("ready", WORKER, ENGINE),
  );
  const urls = new Map([
    ["gateway", early.url],
    ["echo-0", worker.url],
  ]);
  expect(await untilServing(urls, 1, signal)).toEqual({ model: "tiny" });
  expect(early.asked()).toBe(3);
});

test("a refused worker ends the wait", async () => {
  const gateway = await serve(json({ models: [], refused: [{ field: "card.blockSize" }] }));
  const outcome = await untilServing(new Map([["gateway", gateway.url]]), 1, signal);
  expect(outcome).toEqual({ failure: "the gateway refuses a worker; its log says why" });
});

test("a shutdown ends the wait", async () => {
  const stopping = new AbortController();
  const gateway = await serve((response) => {
    stopping.abort();
    response.destroy();
  });
  expect(await untilServing(new Map([["gateway", gateway.url]]), 1, stopping.signal)).toBeUndefined();
});
