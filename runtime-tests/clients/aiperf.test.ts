import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { metric } from "../../cli/e2e/metrics.ts";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { type StandIn, startVllm, writeModelFolder } from "../../stand-ins/index.ts";

const REQUESTS = 160;
const OUTPUT_TOKENS = 64;

let folder: string;
let engines: StandIn[];
let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-aiperf-"));
  const source = join(folder, "model");
  await writeModelFolder(source);
  engines = await Promise.all([1, 2].map(() => startVllm({ source, interTokenMs: 2, kvEvents: {} })));
  const urls = engines.map((engine) => engine.url);
  stator = new StatorProcess(["attach", ...urls, "--port=0", "--config=none"]);
  [, url = ""] = await stator.printed(/Send requests to (http:\S+)\/v1:/);
});

afterAll(async () => {
  await stator.stop();
  await Promise.all(engines.map((engine) => engine.close()));
  await rm(folder, { recursive: true });
});

test("AIPerf measures a gateway without errors", { timeout: 300_000 }, async () => {
  const aiperf = join(import.meta.dirname, "aiperf", ".venv", "bin", "aiperf");
  const results = join(folder, "results");
  const args = [
    ["profile", "--model", "tiny", "--url", url, "--endpoint-type", "chat", "--streaming"],
    ["--tokenizer", join(folder, "model"), "--synthetic-input-tokens-mean", "512"],
    ["--synthetic-input-tokens-stddev", "0", "--output-tokens-mean", String(OUTPUT_TOKENS)],
    ["--extra-inputs", "ignore_eos:true", "--concurrency", "16", "--request-count", String(REQUESTS)],
    ["--artifact-dir", results, "--ui", "none"],
  ];
  const { HF_HUB_OFFLINE: _, ...env } = process.env;
  await promisify(execFile)(aiperf, args.flat(), { env, maxBuffer: 64 * 1024 * 1024 });
  const report = JSON.parse(await readFile(join(results, "profile_export_aiperf.json"), "utf8"));
  expect(report.request_count.avg).toBe(REQUESTS);
  expect(report.error_summary).toEqual([]);
  expect(await metric(url, "stator_requests_total", { status: "200" })).toBeGreaterThanOrEqual(REQUESTS);
});
