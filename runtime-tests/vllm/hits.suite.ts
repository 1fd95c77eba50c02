import { describe, expect, test } from "vitest";
import { type Random, seededRandom } from "../../runtime/index.ts";
import { attach, freshText, metricOf, post, type Setup } from "./setup.ts";

const CONVERSATIONS = 22;
const TURNS = 5;
/** Users who wait for an answer at one time. */
const CONCURRENCY = 4;
/** With the turns, up to 850: together they fill more than one engine's cache of 10,240 tokens, but less than both. */
const SYSTEM_TOKENS = 600;

/** The reason for all of this: prompts that need not be computed. */
export function suiteOfHits(setup: Setup): void {
  describe("Conversations with different system prompts", () => {
    test("take at least 1.8 times as many tokens from the caches as by turns", async () => {
      const byTurns = await hitsOf(setup, "--policy=round-robin");
      const byCaches = await hitsOf(setup);
      const ratio = byCaches / byTurns;
      console.log(
        `Cached prompt tokens: ${byCaches} routed by caches, ${byTurns} by turns: ${ratio.toFixed(2)} times.`,
      );
      expect(ratio).toBeGreaterThanOrEqual(1.8);
    }, 400_000);
  });
}

/** vLLM's own count of the prompt tokens that the workload took from the caches, over both engines. */
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
 * Every conversation's first turn, then every second one, each time in another order. The orders are the same in
 * each run and so, but for what overtakes on the way, is the engine that a turn gets by turns: where each client
 * went on by itself, as many as happened to go in step would find their cache again by chance.
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
