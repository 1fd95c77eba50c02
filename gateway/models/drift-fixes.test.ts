import { expect, test } from "vitest";
import { startVllm } from "#stand-ins";
import { createEngineApi, probeEngine } from "../engines/index.ts";
import { driftFixes } from "./drift-fixes.ts";

test("a vLLM's warnings name its flags, its addresses and the doctor", async () => {
  await using vllm = await startVllm({ kvEvents: {}, prefixCaching: false });
  const { adapter, profile } = await probeEngine(createEngineApi(vllm.url));
  const sources = profile.kvEvents;
  const fixes = driftFixes({ spec: { url: vllm.url }, sources, adapter }, profile);
  expect(fixes["no-prefix-cache"]).toBe("--enable-prefix-caching --enable-prompt-tokens-details");
  expect(fixes["events-missing"]).toContain(`stator doctor ${vllm.url}`);
  expect(fixes["events-missing"]).toContain("tcp://127.0.0.1:");
});

test("if lost events cannot be replayed, the fix names the flag that enables replay", async () => {
  await using vllm = await startVllm({ kvEvents: {} });
  const { adapter, profile } = await probeEngine(createEngineApi(vllm.url));
  const fixes = driftFixes({ spec: { url: vllm.url }, sources: profile.kvEvents, adapter }, profile);
  expect(fixes["removals-lost"]).toContain("replay_endpoint");
});
