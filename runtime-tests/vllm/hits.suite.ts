import { describe, expect, test } from "vitest";
import { attach, freshText, metricOf, post, type Setup } from "./setup.ts";

const CONVERSATIONS = 20;
const TURNS = 3;
/** Together they fill more than one engine's cache of 10,240 tokens, but less than both. */
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
    });
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
  await Promise.all(Array.from({ length: CONVERSATIONS }, () => converse(url)));
  const hits = (await count()) - before;
  await stator.stop();
  return hits;
}

async function converse(url: string): Promise<void> {
  const messages = [{ role: "system", content: freshText(SYSTEM_TOKENS) }];
  for (let turn = 0; turn < TURNS; turn++) {
    messages.push({ role: "user", content: `Question ${turn} of mine?` });
    const response = await post(url, "/v1/chat/completions", { messages, max_tokens: 8, temperature: 0 });
    expect(response.status).toBe(200);
    const { choices } = await response.json();
    messages.push({ role: "assistant", content: choices[0].message.content ?? "" });
  }
}
