import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { etcdctl, startEtcd } from "../../../runtime/discovery/etcd/test-etcd.ts";
import { startNats } from "../../../runtime/testing/nats-server.ts";
import type { TestServer } from "../../../runtime/testing/test-server.ts";
import { stall } from "../../../scripts/testing/stall.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { FaultCluster, type LaunchOptions } from "./fault-cluster.ts";

// Stores are killed, suspended, or restarted with other contents while 64 streams run.

const AFTERWARDS = 128;
const OUTAGE_MS = 30_000;
/** Time to recover once a store is back. */
const RECOVERY_MS = 10_000;

interface Stores extends AsyncDisposable {
  readonly servers: readonly TestServer[];
  readonly discovery: string;
  readonly place: LaunchOptions;
}

const starts: Record<string, () => Promise<Stores>> = {
  async etcd() {
    const server = await startEtcd();
    return stores([server], `etcd://${server.host}`, []);
  },
  async NATS() {
    const server = await startNats();
    return stores([server], `nats://${server.host}`, ["--listen=nats:", "--peer-listen=nats:"]);
  },
  async "etcd and NATS"() {
    const [etcd, nats] = [await startEtcd(), await startNats()];
    const flags = [`--nats=nats://${nats.host}`, "--listen=nats:"];
    return stores([etcd, nats], `etcd://${etcd.host}`, flags);
  },
};

const stores = (servers: readonly TestServer[], discovery: string, flags: readonly string[]): Stores => ({
  servers,
  discovery,
  place: { flags },
  async [Symbol.asyncDispose]() {
    for (const server of servers) await server[Symbol.asyncDispose]();
  },
});

describe.each(Object.keys(starts))("all of %s", (name) => {
  test.each(["SIGKILL", "SIGSTOP"] as const)("is down for 30 s (%s)", async (signal) => {
    await using all = await starts[name]!();
    await using cluster = await FaultCluster.start(all.discovery, { gateways: 2, ...all.place });
    const load = cluster.load();
    await load.more(32);
    for (const server of all.servers)
      if (signal === "SIGKILL") await server.kill();
      else server.signal(signal);
    await cluster.gateways[0]!.process.printed(/discovery is unreachable/);
    await sleep(OUTAGE_MS);
    for (const server of all.servers)
      if (signal === "SIGKILL") await server.resume();
      else server.signal("SIGCONT");
    await recovers(cluster, all.place);
    await load.more(AFTERWARDS);
    await cluster.settle(`${signal} of ${name}`, load);
  });
});

/** Expects a new worker to join, and all others to be ready, within ten seconds. */
async function recovers(cluster: FaultCluster, place: LaunchOptions = {}): Promise<void> {
  const since = performance.now();
  const names = [...cluster.workers.keys()];
  cluster.addWorker("late", place);
  await cluster.ready(...names, "late");
  expect(performance.now() - since).toBeLessThan(RECOVERY_MS * stall());
}

test("etcd is compacted during an outage", async () => {
  await using etcd = await startEtcd();
  await using cluster = await FaultCluster.start(`etcd://${etcd.host}`);
  const load = cluster.load();
  await load.more(32);
  await etcd.kill();
  await etcd.resume();
  const [{ Status }] = JSON.parse(await etcdctl(etcd, "endpoint", "status", "-w", "json"));
  await etcdctl(etcd, "put", "/stator/x", "1");
  await etcdctl(etcd, "compact", String(Status.header.revision + 1));
  await recovers(cluster);
  await load.more(AFTERWARDS);
  await cluster.settle("etcd compacted", load);
});

test("etcd restarts without its data", async () => {
  await using etcd = await startEtcd();
  await using cluster = await FaultCluster.start(`etcd://${etcd.host}`, { gateways: 2 });
  const load = cluster.load();
  await load.more(32);
  await etcd.kill();
  etcd.loseData();
  await sleep(3_000);
  await etcd.resume();
  await recovers(cluster);
  await load.more(AFTERWARDS);
  await cluster.settle("etcd without its data", load);
});

test("etcd restarts with authentication enabled", async () => {
  await using etcd = await startEtcd();
  await etcdctl(etcd, "user", "add", "root:secret");
  await etcdctl(etcd, "user", "grant-role", "root", "root");
  await etcdctl(etcd, "auth", "enable");
  await using cluster = await FaultCluster.start(`etcd://root:secret@${etcd.host}`);
  const load = cluster.load();
  await load.more(32);
  // Its tokens for clients are lost with it.
  await etcd.kill();
  await etcd.resume();
  await recovers(cluster);
  await load.more(AFTERWARDS);
  await cluster.settle("etcd with authentication", load);
});

describe("the folder of the file backend", () => {
  const folder = temporaryFolder();

  test("is removed", async () => {
    const store = join(folder, "removed");
    await using cluster = await FaultCluster.start(`file:${store}`, { gateways: 2 });
    const load = cluster.load();
    await load.more(32);
    rmSync(store, { recursive: true });
    await sleep(12_000);
    await recovers(cluster);
    await load.more(AFTERWARDS);
    await cluster.settle("folder removed", load);
  });

  test.runIf(process.getuid?.() === 0)("is on a full disk", async () => {
    const disk = mkdtempSync(join(folder, "disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]);
    try {
      await using cluster = await FaultCluster.start(`file:${join(disk, "store")}`);
      const load = cluster.load();
      await load.more(32);
      execFileSync("sh", ["-c", `dd if=/dev/zero of=${disk}/filler bs=4k 2>/dev/null || true`]);
      await sleep(12_000);
      rmSync(join(disk, "filler"));
      await recovers(cluster);
      await load.more(AFTERWARDS);
      await cluster.settle("disk full", load);
    } finally {
      execFileSync("umount", [disk]);
    }
  });
});
