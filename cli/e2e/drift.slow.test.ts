import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { metric, until } from "./metrics.ts";
import { StatorProcess } from "./stator-process.ts";

/** Workers whose KV events are wrong in different ways: the gateway warns once, with the likely cause. */
const DRIFTS = [
  ["events-missing", "no KV event has arrived"],
  ["block-size", "the same block size"],
  ["never-matches", "tokens or salt"],
  ["removals-lost", "removals were lost"],
] as const;

let gateway: StatorProcess;
let workers: StatorProcess[];
let url: string;

beforeAll(async () => {
  const common = [`--discovery=file:${temporaryFolder()}`, "--config=none"];
  gateway = new StatorProcess(["gateway", "--port=0", ...common]);
  workers = DRIFTS.map(
    ([drift]) =>
      new StatorProcess(["worker", "cli/e2e/workers/drifting.ts", `--name=${drift}-0`, ...common], {
        DRIFT: drift,
      }),
  );
  const [, address] = await gateway.printed(/listening url=(\S+)/);
  url = address!;
  await until(async () => (await metric(url, "stator_worker_ready")) === DRIFTS.length);
  // Models are ready a moment after their workers, once their tokenizers are loaded.
  await until(async () => (await fetch(`${url}/health`)).ok);
});

afterAll(async () => {
  for (const stator of [...workers, gateway]) expect(await stator.stop()).toBe(0);
});

test.each(DRIFTS)("%s is detected from the engine's reported cached tokens", async (drift, advice) => {
  const body = JSON.stringify({ model: drift, prompt: "the same prompt ".repeat(8), max_tokens: 1 });
  for (let count = 0; count < 40; count++) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/v1/completions`, { method: "POST", headers, body });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  }
  const pattern = new RegExp(`warn .*${advice}.*worker=${drift}-0 cause=${drift}`, "g");
  await gateway.printed(new RegExp(pattern.source));
  expect(gateway.stderr.match(pattern)).toHaveLength(1);
  const labels = { worker: `${drift}-0`, cause: drift };
  expect(await metric(url, "stator_router_cache_drifting", labels)).toBe(1);
  const predicted = await metric(url, "stator_router_predicted_cached_tokens_total", { model: drift });
  const reported = await metric(url, "stator_router_reported_cached_tokens_total", { model: drift });
  if (drift === "removals-lost") expect(predicted).toBeGreaterThan(reported);
  else expect([predicted, reported > 0]).toEqual([0, true]);
});
