import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { addTo, DECODE, expectNothingHeld, PREFILL, prefills, startPools } from "./pools-of-workers.ts";

// Prefill and decode workers are killed, suspended, taken away or misconfigured while 64 streams run.

const folder = temporaryFolder();
let stores = 0;
const newStore = () => `file:${folder}/${++stores}`;
const AFTERWARDS = 128;

test.each([
  ["prefill", PREFILL],
  ["decode", DECODE],
] as const)("%s workers are killed and restarted, one after another", async (role, names) => {
  await using cluster = await startPools(newStore());
  const load = cluster.load();
  await load.more(32);
  for (const name of names) {
    cluster.workers.get(name)!.signal("SIGKILL");
    await cluster.gone(name);
    addTo(cluster, name);
    await cluster.ready(name);
  }
  const before = await prefills(cluster, "remote");
  await load.more(AFTERWARDS);
  expect(await prefills(cluster, "remote")).toBeGreaterThan(before + AFTERWARDS / 2);
  await cluster.settle(`kill -9 of ${role} workers`, load);
  await expectNothingHeld(cluster);
});

test.each(["prefill-0", "decode-0"])("%s is suspended for 10 s", async (name) => {
  await using cluster = await startPools(newStore());
  const load = cluster.load();
  await load.more(32);
  cluster.workers.get(name)!.signal("SIGSTOP");
  await sleep(10_000);
  cluster.workers.get(name)!.signal("SIGCONT");
  await cluster.ready(name);
  await load.more(AFTERWARDS);
  await cluster.settle(`SIGSTOP of ${name}`, load);
  await expectNothingHeld(cluster);
});

test("all prefill workers leave, and come back", async () => {
  await using cluster = await startPools(newStore());
  const load = cluster.load();
  await load.more(32);
  for (const name of PREFILL) cluster.workers.get(name)!.signal("SIGTERM");
  for (const name of PREFILL) await cluster.gone(name);
  const without = await prefills(cluster, "remote");
  await load.more(64);
  expect(await prefills(cluster, "remote")).toBe(without);
  for (const name of PREFILL) addTo(cluster, name);
  await cluster.ready(...PREFILL);
  await load.more(AFTERWARDS);
  expect(await prefills(cluster, "remote")).toBeGreaterThan(without);
  await cluster.settle("no prefill workers for a while", load);
  await expectNothingHeld(cluster);
});

test("a decode worker drains by moving, and a prefill worker changes its role", async () => {
  await using cluster = await startPools(newStore());
  const load = cluster.load();
  await load.more(32);
  const [url] = cluster.urls;
  const asked = await fetch(`${url}/admin/workers/decode-0?within=0s`, { method: "DELETE" });
  expect(asked.status).toBe(202);
  await cluster.gone("decode-0");
  const changed = await fetch(`${url}/admin/workers/prefill-0`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ role: "decode" }),
  });
  expect(await changed.json()).toMatchObject({ name: "prefill-0", role: "decode" });
  await load.more(AFTERWARDS);
  await cluster.settle("a drained decode worker, and a changed role", load);
  await expectNothingHeld(cluster);
});

test("KV is handed over only between workers of the same format", async () => {
  await using cluster = await startPools(newStore());
  const load = cluster.load();
  await load.more(32);
  for (const name of ["decode-8", "decode-9"]) addTo(cluster, name, { env: { COUNTING_FORMAT: "other" } });
  await cluster.ready("decode-8", "decode-9");
  for (const name of DECODE) cluster.workers.get(name)!.signal("SIGTERM");
  for (const name of DECODE) await cluster.gone(name);
  const before = await prefills(cluster, "remote");
  await load.more(AFTERWARDS);
  expect(await prefills(cluster, "remote")).toBeLessThanOrEqual(before + 64);
  await cluster.settle("workers of two formats", load);
  await expectNothingHeld(cluster);
});

test("transfers are refused, stall, and bring too little", async () => {
  const place = { flags: ["--kv-transfer-timeout=0.3"], env: { COUNTING_KV_FAULTS: "1" } };
  await using cluster = await startPools(newStore(), { place });
  const load = cluster.load();
  await load.more(AFTERWARDS);
  for (const place of ["remote", "fallback"] as const)
    expect(await prefills(cluster, place)).toBeGreaterThan(0);
  await cluster.settle("KV that cannot be used", load);
  await expectNothingHeld(cluster);
});

test("a gateway is killed in the middle, and its clients go to another one", async () => {
  await using cluster = await startPools(newStore(), { gateways: 2 });
  const load = cluster.load({ retries: true });
  await load.more(32);
  cluster.gateways[0]!.process.signal("SIGKILL");
  await load.more(AFTERWARDS);
  await cluster.settle("SIGKILL of a gateway before prefill and decode workers", load);
  await expectNothingHeld(cluster);
});
