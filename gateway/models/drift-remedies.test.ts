import { expect, test } from "vitest";
import { startVllm } from "#stand-ins";
import { createEngineApi, probeEngine } from "../engines/index.ts";
import { driftRemedies } from "./drift-remedies.ts";

test("a vLLM's warnings name its flags, its addresses and the doctor", async () => {
  await using vllm = await startVllm({ kvEvents: {}, prefixCaching: false });
  const { adapter, profile } = await probeEngine(createEngineApi(vllm.url));
  const sources = profile.kvEvents;
  const remedies = driftRemedies({ spec: { url: vllm.url }, sources, adapter }, profile);
  expect(remedies["no-prefix-cache"]).toBe("--enable-prefix-caching --enable-prompt-tokens-details");
  expect(remedies["events-missing"]).toContain(`stator doctor ${vllm.url}`);
  expect(remedies["events-missing"]).toContain("tcp://127.0.0.1:");
});

test("where lost events cannot be asked for again, the flag that lets them is named", async () => {
  await using vllm = await startVllm({ kvEvents: {} });
  const { adapter, profile } = await probeEngine(createEngineApi(vllm.url));
  const remedies = driftRemedies({ spec: { url: vllm.url }, sources: profile.kvEvents, adapter }, profile);
  expect(remedies["removals-lost"]).toContain("replay_endpoint");
});
