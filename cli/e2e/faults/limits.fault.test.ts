import { existsSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { StandInProcess } from "../attach/stand-in-process.ts";
import { until } from "../metrics.ts";
import { StatorProcess } from "../stator-process.ts";
import { FaultCluster } from "./fault-cluster.ts";
import { startLoad } from "./load.ts";

// Wrong clocks, exhausted files, false KV events and misbehaving clients while streams run.

const folder = temporaryFolder();
let stores = 0;
const newStore = () => `file:${folder}/store-${++stores}`;
const AFTERWARDS = 128;

/** Opens connections that send nothing. @returns them, including refused ones */
async function openSilent(url: string, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: count }, () => connect(Number(port), hostname));
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once("connect", resolve).once("close", () => resolve());
          // Those beyond the limit are refused.
          socket.on("error", () => {});
        }),
    ),
  );
  return sockets;
}

test("1,000 silent connections do not affect streams", async () => {
  await using cluster = await FaultCluster.start(newStore());
  const load = cluster.load();
  await load.more(32);
  const silent = await openSilent(cluster.urls[0]!, 1_000);
  await load.more(AFTERWARDS);
  for (const socket of silent) socket.destroy();
  await load.more(32);
  await cluster.settle("1,000 silent connections", load);
});

test("slow readers do not affect other streams", async () => {
  await using cluster = await FaultCluster.start(newStore());
  const load = cluster.load();
  const slow = startLoad({ urls: cluster.urls, streams: 16, tokens: 400, readDelayMs: 200 });
  await slow.more(16);
  await load.more(AFTERWARDS);
  const { errors, wrong } = await slow.stop();
  expect([errors, wrong]).toEqual([[], []]);
  await cluster.settle("slow readers", load);
});

test("with a limit of 256 open files, engines are not blamed for the gateway's own exhaustion", async () => {
  const engines = [await StandInProcess.start("vllm"), await StandInProcess.start("vllm")];
  const main = fileURLToPath(new URL("../../main.ts", import.meta.url));
  const limited = ["bash", "-c", 'ulimit -n 256; exec "$@"', "bash", process.execPath, main];
  const urls = engines.map(({ url }) => url);
  const args = ["attach", ...urls, "--port=0", "--config=none", "--health-interval=0.2"];
  const stator = new StatorProcess(args, {}, limited);
  const [, url] = await stator.printed(/Send requests to (http:\/\/[^/]+)\/v1/);
  expect(stator.stdout + stator.stderr).toMatch(/the limit of open files .* is low connections=96/);
  const ask = async () => {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: JSON.stringify({ model: "tiny", prompt: "Hello", max_tokens: 4 }),
    });
    await response.text();
    return response.status;
  };
  expect(await ask()).toBe(200);
  const silent = await openSilent(url!, 400);
  // Connections beyond the limit are refused; admitted requests are answered.
  const statuses = await Promise.all(Array.from({ length: 64 }, () => ask().catch(() => "refused")));
  for (const status of statuses) expect([200, "refused"]).toContain(status);
  for (const socket of silent) socket.destroy();
  await until(async () => (await ask().catch(() => 0)) === 200);
  expect(await Promise.all(Array.from({ length: 32 }, ask))).toEqual(Array(32).fill(200));
  expect(stator.stdout + stator.stderr).not.toMatch(/set an engine aside|failed a request/);
  expect(await stator.stop()).toBe(0);
});

test("a worker's false KV events do not corrupt answers", async () => {
  await using cluster = await FaultCluster.start(newStore(), { workers: 3 });
  cluster.addWorker("liar", { env: { COUNTING_LIES: "1" } });
  await cluster.ready("liar");
  const load = cluster.load();
  await load.more(2 * AFTERWARDS);
  await cluster.settle("false events", load);
});

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

describe.runIf(existsSync(FAKETIME))("the clock", () => {
  test.each([
    ["of the gateway", "gateway"],
    ["of a worker", "worker"],
  ])("%s jumps by an hour, forward and back", async (what, who) => {
    const clock = join(folder, `clock-${who}`);
    writeFileSync(clock, "+0");
    const env = {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
    const discovery = newStore();
    await using cluster = new FaultCluster(discovery);
    await cluster.addGateway({ env: who === "gateway" ? env : {} });
    for (const name of ["one", "two"]) cluster.addWorker(name);
    cluster.addWorker("three", { env: who === "worker" ? env : {} });
    await cluster.ready("one", "two", "three");
    const load = cluster.load();
    await load.more(32);
    for (const offset of ["+3600", "-3600", "+0"]) {
      writeFileSync(clock, offset);
      // Longer than a lease.
      await sleep(12_000);
      await cluster.ready("one", "two", "three");
    }
    await load.more(AFTERWARDS);
    await cluster.settle(`clock ${what} jumps`, load);
  });
});
