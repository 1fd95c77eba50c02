import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startEtcd } from "../../../runtime/discovery/etcd/test-etcd.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { FaultCluster } from "./fault-cluster.ts";

// Workers and gateways are killed, suspended or restarted while 64 streams run.

const folder = temporaryFolder();
let stores = 0;
const newStore = () => `file:${folder}/${++stores}`;

/** Streams to end after a fault, so that all that ran during it have ended too. */
const AFTERWARDS = 128;

test("workers are killed and restarted, one after another", async () => {
  await using cluster = await FaultCluster.start(newStore());
  const load = cluster.load();
  await load.more(32);
  for (const name of ["worker-0", "worker-1", "worker-2"]) {
    cluster.workers.get(name)!.signal("SIGKILL");
    await cluster.gone(name);
    cluster.addWorker(name);
    await cluster.ready(name);
  }
  await load.more(AFTERWARDS);
  await cluster.settle("kill -9 of workers", load);
});

test("after a kill, at most one request is sent to the dead worker", async () => {
  await using cluster = await FaultCluster.start(newStore());
  const load = cluster.load({ streams: 1, tokens: 5 });
  await load.more(10);
  cluster.workers.get("worker-0")!.signal("SIGKILL");
  await load.more(64);
  await cluster.settle("64 requests after a kill", load);
  const { stdout, stderr } = cluster.gateways[0]!.process;
  const failed = (stdout + stderr).match(/a worker failed a request/g) ?? [];
  expect(failed.length).toBeLessThanOrEqual(1);
});

test("a worker is suspended for 10 s", async () => {
  await using cluster = await FaultCluster.start(newStore());
  const load = cluster.load();
  await load.more(32);
  cluster.workers.get("worker-0")!.signal("SIGSTOP");
  await sleep(10_000);
  cluster.workers.get("worker-0")!.signal("SIGCONT");
  await cluster.ready("worker-0");
  await load.more(AFTERWARDS);
  await cluster.settle("SIGSTOP of a worker", load);
});

test.each(["SIGKILL", "SIGSTOP"] as const)(
  "a gateway is lost (%s), and its clients retry",
  async (signal) => {
    await using cluster = await FaultCluster.start(newStore(), { gateways: 2 });
    const load = cluster.load({ retries: true });
    await load.more(32);
    const [victim] = cluster.gateways;
    victim!.process.signal(signal);
    await sleep(3_000);
    if (signal === "SIGSTOP") victim!.process.signal("SIGCONT");
    else await cluster.addGateway({ flags: [`--port=${new URL(victim!.url).port}`] });
    await load.more(AFTERWARDS);
    await cluster.settle(`${signal} of a gateway`, load);
  },
);

test("every worker and every gateway is restarted in turn", async () => {
  await using server = await startEtcd();
  await using cluster = await FaultCluster.start(`etcd://${server.host}`, { gateways: 2 });
  const load = cluster.load({ retries: true });
  await load.more(32);
  for (const [name, worker] of [...cluster.workers]) {
    worker.signal("SIGTERM");
    expect(await worker.ended()).toBe(0);
    cluster.addWorker(name);
    await cluster.ready(name);
  }
  for (const { process: gateway, url } of [...cluster.gateways]) {
    gateway.signal("SIGTERM");
    expect(await gateway.ended()).toBe(0);
    await cluster.addGateway({ flags: [`--port=${new URL(url).port}`] });
  }
  await load.more(AFTERWARDS);
  await cluster.settle("rolling restart", load);
});

test("200 workers join and leave within a minute", async () => {
  await using cluster = await FaultCluster.start(newStore(), { workers: 2 });
  const load = cluster.load();
  await load.more(32);
  for (let round = 0; round < 8; round++) {
    const crowd = cluster.addCrowd(`guest-${round}`, 25);
    const names = Array.from({ length: 25 }, (_, index) => `guest-${round}-${index}`);
    await cluster.ready(...names);
    await load.more(64);
    crowd.signal("SIGTERM");
    expect(await crowd.ended()).toBe(0);
    for (const name of names) await cluster.gone(name);
  }
  await load.more(AFTERWARDS);
  await cluster.settle("workers that join and leave", load);
});
