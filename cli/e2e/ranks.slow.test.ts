import { expect, test } from "vitest";
import { metric, until } from "./metrics.ts";
import { startUp } from "./stator-process.ts";

test("each data-parallel rank is routed to by its own cache", async () => {
  const stator = startUp(
    "--engine=mocker",
    "--workers=1",
    "--data-parallel-size=3",
    "--speedup=0",
    "--block-size=16",
    "--context-length=4096",
  );
  const url = await stator.url();
  let stored = 0;
  const send = async (conversation: number) => {
    const prompt = `${`Conversation ${conversation}: `.repeat(20)}?`;
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-explain": "true" },
      body: JSON.stringify({ model: "mocker", prompt, max_tokens: 1 }),
    });
    const { usage } = await response.json();
    const cached: number = usage.prompt_tokens_details.cached_tokens;
    // The events of this answer arrive separately.
    if (cached === 0) stored += Math.floor(prompt.length / 16);
    await until(async () => (await metric(url, "stator_worker_stored_blocks")) === stored);
    return {
      rank: Number(response.headers.get("x-stator-data-parallel-rank")),
      predicted: Number(response.headers.get("x-stator-overlap-blocks")) * 16,
      cached,
    };
  };
  const homes: number[] = [];
  for (let conversation = 0; conversation < 6; conversation++) homes.push((await send(conversation)).rank);
  expect([...homes].sort()).toEqual([0, 0, 1, 1, 2, 2]);
  for (let conversation = 0; conversation < 6; conversation++) {
    const { rank, predicted, cached } = await send(conversation);
    expect(rank).toBe(homes[conversation]);
    expect(predicted).toBe(cached);
    expect(cached).toBeGreaterThan(300);
  }
  for (const rank of ["0", "1", "2"]) {
    expect(await metric(url, "stator_worker_stored_blocks", { rank })).toBe(stored / 3);
    expect(await metric(url, "stator_router_reported_cached_tokens_total", { rank })).toBeGreaterThan(600);
  }
  expect(await stator.stop()).toBe(0);
});
