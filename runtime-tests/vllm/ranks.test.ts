import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { complete, expectSame, prompts, warmUp } from "./greedy.ts";
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
  folder = temporaryFolder();
  writeTinyModel(folder);
  const roles = ["prefill", "decode"] as const;
  const shared = { ranks: RANKS, leaseSeconds: LEASE_SECONDS };
  servers = await Promise.all(roles.map((role) => VllmServer.start(folder, { role, ...shared })));
  const [prefill, decode] = servers;
  await warmUp(servers, ["--prefill", prefill!.url, "--decode", decode!.url]);
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

test("every rank takes part, and answers are those of one engine", async () => {
  const [prefill, decode] = servers as [VllmServer, VllmServer];
  const flags = ["--health-failures=100", "--remote-prefill-max-wait=1000"];
  const { stator, url } = await attach([], "--prefill", prefill.url, "--decode", decode.url, ...flags);
  onTestFailed(() => console.log(stator.stdout, stator.stderr, prefill.output, decode.output));
  await areReady(url, 2);
  const before = await metricOf(decode, "vllm:nixl_xfer_time_seconds_count");
  const all = prompts(REQUESTS);
  const answers = await Promise.all(all.map((prompt) => complete(url, prompt)));
  // Only now, so that what the prefill engine has cached does not decide on the ranks.
  for (const [index, prompt] of all.entries())
    expectSame(answers[index]!, await complete(prefill.url, prompt));
  // At the first contact of two ranks, vLLM may fail a request on a busy machine; the gateway sends it again, whole.
  const remote = await prefills(url, "remote");
  const log = stator.stdout + stator.stderr + decode.output;
  expect(remote + (await prefills(url, "fallback")), log).toBe(REQUESTS);
  expect(remote, log).toBeGreaterThanOrEqual(REQUESTS / 2);
  expect(await metricOf(decode, "vllm:nixl_xfer_time_seconds_count")).toBe(before + remote);
  const { data } = await (await fetch(`${url}/v1/router/decisions?limit=${REQUESTS}`)).json();
  for (const part of ["prefill_worker", "worker"]) {
    const ranks = data.map((decision: Record<string, { rank: number } | null>) => decision[part]?.rank);
    for (const rank of [0, 1]) expect(ranks).toContain(rank);
  }
  await stator.stop();
});
