import { describe, expect, test } from "vitest";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { areReady, attach, type Setup } from "./setup.ts";
import type { VllmOptions } from "./vllm-server.ts";

/** Engines that were started without what KV routing needs: both commands report it and the flag that fixes it. */
export function suiteOfDefects(setup: Setup): void {
  describe("A vLLM that was started", () => {
    test("without KV events and the report of cached tokens", async () => {
      const engine = await restart(setup, { kvEvents: false, reportsCachedTokens: false });
      const urls = [engine.url, setup.servers[1].url];
      // The first answers of an engine that was just started can take longer than the table waits.
      const before = await attach(urls);
      await areReady(before.url, 2);
      await before.stator.stop();
      const { stator } = await attach(urls);
      expect(stator.stdout).toMatch(new RegExp(`${engine.name} .*none: predicted`));
      expect(stator.stdout).toContain("fix it with --kv-events-config");
      await stator.stop();
      const problems = await problemsOf(engine.url);
      expect(problems).toMatchObject([
        { id: "kv-events", flag: expect.stringContaining("--kv-events-config '{") },
        { id: "cached-tokens", flag: "--enable-prompt-tokens-details" },
      ]);
    });

    test("without prefix caching", async () => {
      const engine = await restart(setup, { prefixCaching: false });
      expect(await problemsOf(engine.url)).toMatchObject([
        { id: "prefix-caching", flag: "--enable-prefix-caching" },
      ]);
    });
  });
}

async function restart(setup: Setup, options: VllmOptions): Promise<{ url: string; name: string }> {
  const [first, second] = setup.servers;
  await first.stop();
  const again = await first.again(options);
  setup.servers = [again, second];
  return { url: again.url, name: new URL(again.url).host };
}

async function problemsOf(url: string): Promise<unknown[]> {
  const doctor = new StatorProcess(["doctor", "--config=none", "--json", url]);
  expect(await doctor.ended()).toBe(1);
  const { engines } = JSON.parse(doctor.stdout);
  return engines[0].checks.filter(({ status }: { status: string }) => status === "problem");
}
