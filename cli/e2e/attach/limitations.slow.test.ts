import { expect, test } from "vitest";
import { startVllm } from "#stand-ins";
import { StatorProcess } from "../stator-process.ts";

async function attach(...args: string[]) {
  const stator = new StatorProcess(["attach", "--port=0", "--config=none", ...args]);
  const [, url] = await stator.printed(/Send requests to (http:\S+)\/v1:/);
  const askTimes = async (count: number) => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ model: "tiny", prompt: "the same prompt ".repeat(8), max_tokens: 1 });
    for (; count > 0; count--)
      await (await fetch(`${url}/v1/completions`, { method: "POST", headers, body })).text();
  };
  return { stator, url, askTimes };
}

test("unreachable KV events cause one warning, a limitation, and predictions instead", async () => {
  await using vllm = await startVllm({ kvEvents: {}, reportsCachedTokens: false });
  const { stator, url, askTimes } = await attach(vllm.url, "--kv-events=tcp://127.0.0.1:1");
  await askTimes(30);
  const pattern = /warn .*its KV events cannot be reached at tcp:\/\/127\.0\.0\.1:1/g;
  await stator.printed(new RegExp(pattern.source));
  expect(stator.stderr.match(pattern)).toHaveLength(1);
  await stator.printed(/its cache is predicted from its requests/);
  const { data } = await (await fetch(`${url}/admin/workers`)).json();
  expect(data[0].limitations).toContainEqual(expect.objectContaining({ code: "kv-events" }));
  expect(await stator.stop()).toBe(0);
});

test("answers without cached tokens cause a warning with the flag that fixes it", async () => {
  await using vllm = await startVllm({ kvEvents: { replayPort: 0 }, reportsCachedTokens: false });
  const { stator, askTimes } = await attach(vllm.url);
  await askTimes(30);
  await stator.printed(/warn .*do not report how much of a prompt.*flag=--enable-prompt-tokens-details/);
  expect(await stator.stop()).toBe(0);
});

test("an engine whose KV events have an unexpected block size is routed to by that size", async () => {
  await using vllm = await startVllm({ kvEvents: { replayPort: 0 }, hasMetrics: false, blockSize: 32 });
  const { stator, url, askTimes } = await attach(vllm.url);
  await askTimes(2);
  await stator.printed(
    /the router now uses the block size of an engine's KV events .*blockSize=32 instead=16/,
  );
  const { data } = await (await fetch(`${url}/admin/workers`)).json();
  expect(data[0].block_size).toBe(32);
  expect(await stator.stop()).toBe(0);
});
