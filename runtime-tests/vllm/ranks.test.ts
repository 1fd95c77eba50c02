import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { complete, expectSame, prompts } from "./greedy.ts";
import { areReady, attach, metricOf, prefills } from "./setup.ts";
import { VllmServer, writeTinyModel } from "./vllm-server.ts";

// Prefill and decode engines with several data-parallel ranks, each of which has its own cache and its own NIXL agent.

const RANKS = 2;
const REQUESTS = 4;
/** In seconds: longer than four engines on two cores take to compile what their first answers need. */
const LEASE_SECONDS = 300;

let folder: string;
let servers: VllmServer[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "stator-vllm-"));
  writeTinyModel(folder, { weights: true });
  const roles = ["prefill", "decode"] as const;
  const shared = { ranks: RANKS, leaseSeconds: LEASE_SECONDS };
  servers = await Promise.all(roles.map((role) => VllmServer.start(folder, { role, ...shared })));
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true });
});

test("every rank takes part, and answers are those of one engine", async () => {
  const [prefill, decode] = servers as [VllmServer, VllmServer];
  const flags = ["--health-failures=100", "--remote-prefill-max-wait=1000"];
  const { stator, url } = await attach([], "--prefill", prefill.url, "--decode", decode.url, ...flags);
  await areReady(url, 2);
  const all = prompts(REQUESTS);
  const answers = await Promise.all(all.map((prompt) => complete(url, prompt)));
  // Only now, so that what the prefill engine has cached does not decide on the ranks.
  for (const [index, prompt] of all.entries())
    expectSame(answers[index]!, await complete(prefill.url, prompt));
  const log = stator.stdout + stator.stderr;
  expect([await prefills(url, "remote"), await prefills(url, "fallback")], log).toEqual([REQUESTS, 0]);
  expect(await metricOf(decode, "vllm:nixl_xfer_time_seconds_count")).toBe(REQUESTS);
  const { data } = await (await fetch(`${url}/v1/router/decisions?limit=${REQUESTS}`)).json();
  for (const part of ["prefill_worker", "worker"]) {
    const ranks = data.map((decision: Record<string, { rank: number }>) => decision[part]!.rank);
    expect(new Set(ranks)).toEqual(new Set([0, 1]));
  }
  await stator.stop();
});
