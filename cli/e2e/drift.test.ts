import { expect, test } from "vitest";
import { metric } from "./metrics.ts";
import { StatorProcess } from "./stator-process.ts";

/** A worker whose KV events are wrong: the gateway says so, once, with the likely cause. */
test.each([
  ["events-missing", "no KV event has ever come"],
  ["block-size", "the same block size"],
  ["never-matches", "tokens or salt"],
  ["removals-lost", "removals were lost"],
])("%s is found out from what the engine reports", async (drift, advice) => {
  const stator = new StatorProcess(
    ["up", "--port=0", "--config=none", "--engine=cli/e2e/workers/drifting.ts", "--workers=1"],
    { DRIFT: drift },
  );
  const url = await stator.url();
  const body = JSON.stringify({ model: "drifting", prompt: "the same prompt ".repeat(8), max_tokens: 1 });
  for (let count = 0; count < 40; count++) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/v1/completions`, { method: "POST", headers, body });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  }
  const pattern = new RegExp(`warn .*${advice}.*worker=drifting-0 cause=${drift}`, "g");
  await stator.printed(new RegExp(pattern.source));
  expect(stator.stderr.match(pattern)).toHaveLength(1);
  const labels = { worker: "drifting-0", cause: drift };
  expect(await metric(url, "stator_router_cache_drifting", labels)).toBe(1);
  const predicted = await metric(url, "stator_router_predicted_cached_tokens_total");
  const reported = await metric(url, "stator_router_reported_cached_tokens_total");
  if (drift === "removals-lost") expect(predicted).toBeGreaterThan(reported);
  else expect([predicted, reported > 0]).toEqual([0, true]);
  expect(await stator.stop()).toBe(0);
});
