import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { createMetrics, itlBuckets, ttftBuckets } from "./metrics.ts";
import { type OpsServer, serveOps } from "./ops-server.ts";

describe("metrics", () => {
  test("have the prefix and the process's labels", async () => {
    const metrics = createMetrics({ labels: { component: "worker" }, process: false });
    metrics.counter("requests_total", "Requests.", ["model"]).inc({ model: "a" }, 2);
    metrics.gauge("running", "Requests that run.").set(3);
    let waiting = 1;
    metrics.readGauge("waiting", "Requests that wait.", () => waiting);
    waiting = 4;
    metrics.histogram("ttft_seconds", "Time to first token.", ttftBuckets).observe(0.15);
    const text = await metrics.registry.metrics();
    expect(text).toContain('stator_requests_total{model="a",component="worker"} 2');
    expect(text).toContain('stator_running{component="worker"} 3');
    expect(text).toContain('stator_waiting{component="worker"} 4');
    expect(text).toContain('stator_ttft_seconds_bucket{le="0.2",component="worker"} 1');
  });

  test("include the process and its event loop", async () => {
    const text = await createMetrics().registry.metrics();
    expect(text).toContain("process_cpu_seconds_total");
    expect(text).toContain("nodejs_eventloop_lag_p99_seconds");
  });

  test("have increasing buckets", () => {
    for (const buckets of [ttftBuckets, itlBuckets]) {
      expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
    }
  });
});

describe("the ops server", () => {
  const directory = mkdtempSync(join(tmpdir(), "stator-ops-"));
  const servers: OpsServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  async function start(listen: Parameters<typeof serveOps>[0]["listen"] = { port: 0 }) {
    const state = { live: true };
    const server = await serveOps({
      listen,
      health: () => ({ engine: "llama" }),
      live: () => state.live,
      registry: createMetrics({ process: false }).registry,
    });
    servers.push(server);
    return { server, state };
  }

  test("serves health, liveness and metrics", async () => {
    const { server, state } = await start();
    const health = await fetch(`${server.address}/health?verbose=1`);
    expect([health.status, await health.json()]).toEqual([200, { engine: "llama" }]);
    state.live = false;
    const live = await fetch(`${server.address}/live`);
    expect([live.status, await live.json()]).toEqual([503, { live: false }]);
    expect((await fetch(`${server.address}/health`)).status).toBe(503);
    const metrics = await fetch(`${server.address}/metrics`, { method: "HEAD" });
    expect(metrics.headers.get("content-type")).toContain("text/plain");
    expect(await metrics.text()).toBe("");
  });

  test("refuses other paths and methods in OpenAI's error shape", async () => {
    const { server } = await start();
    const missing = await fetch(`${server.address}/v1/models`);
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({
      error: { type: "invalid_request_error", code: "not_found" },
    });
    const posted = await fetch(`${server.address}/health`, { method: "POST", body: "x" });
    expect(posted.status).toBe(405);
    expect(posted.headers.get("allow")).toBe("GET, HEAD");
    expect(await posted.json()).toMatchObject({ error: { code: "method_not_allowed" } });
  });

  test("on loopback, tells web pages under a name of their own nothing", async () => {
    const { server } = await start();
    const statusAt = (path: string, host: string) =>
      new Promise((resolve, reject) => {
        const call = request(`${server.address}${path}`, { headers: { host } }, (response) =>
          resolve(response.resume().statusCode),
        );
        call.on("error", reject).end();
      });
    for (const path of ["/health", "/metrics"]) {
      expect(await statusAt(path, "rebound.example")).toBe(403);
      expect(await statusAt(path, "localhost:1")).toBe(200);
    }
    expect(await statusAt("/live", "rebound.example")).toBe(200);
  });

  test("listens on a Unix socket too", async () => {
    const socketPath = join(directory, "ops.sock");
    const { server } = await start({ socketPath });
    expect(server.address).toBe(socketPath);
    const status = await new Promise((resolve, reject) => {
      const call = request({ socketPath, path: "/live" }, (response) =>
        resolve(response.resume().statusCode),
      );
      call.on("error", reject).end();
    });
    expect(status).toBe(200);
  });

  test("rejects when it cannot listen", async () => {
    const { server } = await start();
    const port = Number(new URL(server.address).port);
    await expect(start({ port })).rejects.toThrow(/EADDRINUSE/);
  });
});
