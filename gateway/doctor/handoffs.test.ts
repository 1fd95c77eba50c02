import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileRouter } from "#router-wasm";
import { createLogger } from "#runtime";
import { startSglang, startTensorrtLlm, startVllm } from "#stand-ins";
import { stall } from "../../scripts/testing/stall.ts";
import { diagnoseEngines } from "../adapters/node/doctor.ts";
import type { EngineSpec } from "../models/members/engine-spec.ts";

const routerModule = await compileRouter(
  readFileSync(new URL("../../router-wasm/router.wasm", import.meta.url)),
);
const log = createLogger({ name: "doctor", level: "error" });

/** What the doctor says of handovers. */
async function handoffs(specs: readonly EngineSpec[]) {
  const options = { routerModule, tokenizers: new Map(), timeoutMs: 3_000 * stall(), log };
  const { together, engines } = await diagnoseEngines(specs, options);
  return { checks: together.filter(({ id }) => id === "kv-handoff"), engines };
}

const as = (role: EngineSpec["role"], { url }: { url: string }): EngineSpec => ({ url, role });

test.each([
  ["vLLM", startVllm],
  ["TensorRT-LLM", startTensorrtLlm],
  ["SGLang", startSglang],
] as const)("the doctor proves that %s's engines hand KV blocks over", async (name, start) => {
  await using one = await start({ role: "prefill" });
  await using other = await start({ role: "prefill" });
  await using first = await start({ role: "decode" });
  await using second = await start({ role: "decode" });
  const specs = [as("prefill", one), as("prefill", other), as("decode", first), as("decode", second)];
  const { checks, engines } = await handoffs(specs);
  const proved = name === "TensorRT-LLM" ? "note" : "ok";
  expect(checks.map(({ status }) => status)).toEqual([proved, proved, proved]);
  const read = [one, other].map(({ kvExports }) => [kvExports.read, kvExports.readLate, kvExports.held]);
  expect(read).toEqual([
    [2, 0, 0],
    [1, 0, 0],
  ]);
  if (name === "vLLM")
    expect(checks[0]!.text).toMatch(/: a prompt computed by .* \d+ tokens' blocks came from there/);
  const tests = engines.map((engine) => engine.checks.find(({ id }) => id === "test-request")!.status);
  expect(new Set(tests)).toEqual(new Set([name === "SGLang" ? "skipped" : "ok"]));
});

test("the doctor finds the engine that cannot take part, and names the flag", async () => {
  await using prefill = await startVllm({ role: "prefill" });
  await using decode = await startVllm({ role: "decode" });
  await using plain = await startVllm();
  expect((await handoffs([as("prefill", plain), as("decode", decode)])).checks).toMatchObject([
    {
      status: "problem",
      text: expect.stringMatching(/the prefill engine failed: Its answer has no kv_transfer_params/),
      flag: expect.stringContaining("kv_producer"),
    },
  ]);
  expect((await handoffs([as("prefill", prefill), as("decode", plain)])).checks).toMatchObject([
    {
      status: "problem",
      text: expect.stringMatching(/has received no blocks/),
      flag: expect.stringMatching(/consumer/),
    },
  ]);
  await using other = await startSglang({ role: "decode", model: "tiny" });
  expect((await handoffs([as("prefill", prefill), as("decode", other)])).checks).toMatchObject([
    { status: "problem", text: expect.stringMatching(/kinds vllm and sglang/) },
  ]);
  expect((await handoffs([as("prefill", prefill)])).checks).toMatchObject([
    { status: "problem", cost: "It cannot answer requests.", fix: "Attach one with --decode URL." },
  ]);
  expect((await handoffs([as("decode", decode)])).checks).toMatchObject([
    { status: "problem", fix: "Attach one with --prefill URL." },
  ]);
  expect((await handoffs([as("prefill", other)])).checks).toMatchObject([
    {
      status: "problem",
      text: expect.stringContaining("reports the role 'decode', but was given the role 'prefill'"),
      flag: "--disaggregation-mode prefill",
    },
  ]);
  expect((await handoffs([{ url: plain.url }])).checks).toEqual([]);
});
