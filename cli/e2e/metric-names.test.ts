import { expect, test } from "vitest";
import { startTestGateway, TestEngine } from "../../gateway/adapters/node/test-gateway.ts";
import { openEcho } from "../../workers/echo/engine.ts";
import { openMocker } from "../../workers/mocker/engine.ts";
import { metricFaults } from "./metric-names.ts";
import { startOwnGateway } from "./workers/own-gateway.ts";

const read = async (url: string) => (await fetch(`${url}/metrics`)).text();

test("metrics of a gateway and its worker follow Prometheus' naming rules", async () => {
  const gateway = await startOwnGateway({ echo: openEcho(), mocker: openMocker({ speedup: 0 }) });
  const answer = await gateway.post("/v1/completions", { model: "echo", prompt: "Hi", max_tokens: 2 });
  expect(answer.status).toBe(200);
  const page = await read(gateway.url);
  expect(page).toContain("stator_requests_total");
  expect(page).toContain("nodejs_active_handles{");
  expect(metricFaults(page)).toEqual([]);
  const pages = await Promise.all(gateway.opsUrls.map(read));
  for (const ofWorker of pages) {
    expect(ofWorker).toContain("stator_worker_requests_total");
    expect(metricFaults(ofWorker)).toEqual([]);
  }
  expect(pages.join()).toContain("stator_worker_kv_exports");
});

test("so do those of a gateway with attached engines", async () => {
  const engine = await TestEngine.start();
  const gateway = await startTestGateway([engine]);
  const body = JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "Hi" }] });
  const headers = { "content-type": "application/json" };
  await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", headers, body });
  expect(metricFaults(await read(gateway.url))).toEqual([]);
  await gateway.drain(0);
  await engine.close();
});

test("the rules detect violations", () => {
  const page = (type: string, name: string, help = "Help.") =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} 1\n`;
  expect(metricFaults(page("gauge", "nodejs_active_handles_total"))).toEqual([
    "nodejs_active_handles_total: only counters end in _total",
  ]);
  expect(metricFaults(page("counter", "requests"))).toEqual(["requests: a counter ends in _total"]);
  expect(metricFaults(page("gauge", "wait_ms", ""))).toEqual([
    "wait_ms: is not in a base unit",
    "wait_ms: has no help",
  ]);
  expect(metricFaults(page("gauge", "wait_seconds"))).toEqual([]);
});
