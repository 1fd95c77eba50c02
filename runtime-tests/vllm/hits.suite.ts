import { describe, expect, test } from "vitest";
import { type Random, seededRandom } from "../../runtime/index.ts";
import { attach, freshText, metricOf, post, type Setup } from "./setup.ts";

const CONVERSATIONS = 22;
const TURNS = 5;
/** Number of concurrent users. */
const CONCURRENCY = 4;
/** With the turns, up to 850: together they exceed one engine's cache of 10,240 tokens, but fit in both. */
const SYSTEM_TOKENS = 600;

/** Measures the benefit: prompt tokens that need not be computed. */
export function suiteOfHits(setup: Setup): void {
  describe("Conversations with different system prompts", () => {
    test("take at least 1.8 times as many tokens from the caches as with round-robin", async () => {
      const roundRobin = await hitsOf(setup, "--policy=round-robin");
      const kv = await hitsOf(setup);
      const ratio = kv / roundRobin;
      console.log(
        `Cached prompt tokens: ${kv} with kv routing, ${roundRobin} with round-robin: ${ratio.toFixed(2)} times.`,
      );
      expect(ratio).toBeGreaterThanOrEqual(1.8);
    }, 400_000);
  });
}

/** vLLM's count of the workload's prompt tokens that came from the caches of both engines. */
async function hitsOf({ servers }: Setup, ...flags: string[]): Promise<number> {
  for (const { url } of servers) await fetch(`${url}/reset_prefix_cache`, { method: "POST" });
  const { stator, url } = await attach(
    servers.map((server) => server.url),
    ...flags,
  );
  const count = async () => {
    const each = await Promise.all(servers.map((server) => metricOf(server, "vllm:prefix_cache_hits_total")));
    return each.reduce((sum, hits) => sum + hits, 0);
  };
  const before = await count();
  await converse(url);
  const hits = (await count()) - before;
  await stator.stop();
  return hits;
}

/**
 * Sends the first turn of all conversations, then the second, each time in another order. The orders are the same in
 * each run, and so, except for requests that overtake each other, are the engines that round-robin chooses. If clients
 * continued independently, some would stay in step with round-robin and find their caches by chance.
 */
async function converse(url: string): Promise<void> {
  const random = seededRandom(7);
  const conversations = Array.from({ length: CONVERSATIONS }, () => [
    { role: "system", content: freshText(SYSTEM_TOKENS) },
  ]);
  for (let turn = 0; turn < TURNS; turn++) {
    const waiting = shuffled(conversations, random);
    const user = async () => {
      for (let messages = waiting.shift(); messages !== undefined; messages = waiting.shift()) {
        messages.push({ role: "user", content: `Question ${turn} of mine?` });
        const response = await post(url, "/v1/chat/completions", { messages, max_tokens: 8, temperature: 0 });
        expect(response.status).toBe(200);
        const { choices } = await response.json();
        messages.push({ role: "assistant", content: choices[0].message.content ?? "" });
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, user));
  }
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const ordered = items.map((item) => ({ item, place: random() }));
  return ordered.sort((a, b) => a.place - b.place).map(({ item }) => item);
}
