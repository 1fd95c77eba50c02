import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startEtcd } from "../../../runtime/discovery/etcd/test-etcd.ts";
import type { TestServer } from "../../../runtime/testing/test-server.ts";
import { hasNetworks, TestHost, type WireFault } from "../../../scripts/testing/network.ts";
import { FaultCluster } from "./fault-cluster.ts";
import type { Load } from "./load.ts";

// Workers on separate hosts whose network fails while 64 streams run.

const AFTERWARDS = 128;
const FAULT_MS = 15_000;
const HOSTS = 3;

interface Scene {
  readonly cluster: FaultCluster;
  readonly hosts: readonly TestHost[];
  readonly load: Load;
}

/** Runs a case: a gateway and etcd on this machine, and a worker on each host. */
async function play(what: string, act: (scene: Scene) => Promise<void>): Promise<void> {
  await using etcd = await startEtcd({ isPublic: true });
  await using hosts = await createHosts();
  await using cluster = await FaultCluster.start(`etcd://${etcd.host}`, { workers: 0 });
  for (const [index, host] of hosts.all.entries()) join(cluster, index, host, etcd);
  await cluster.ready(...hosts.all.map((_, index) => `worker-${index}`));
  const load = cluster.load();
  await load.more(32);
  await act({ cluster, hosts: hosts.all, load });
  await load.more(AFTERWARDS);
  await cluster.settle(what, load);
}

/** Adds a worker, which advertises its address on the route to its store. */
const join = (cluster: FaultCluster, index: number, host: TestHost, { port }: TestServer) =>
  cluster.addWorker(`worker-${index}`, {
    launcher: host.launcher,
    discovery: `etcd://${host.gateway}:${port}`,
  });

async function createHosts() {
  const all: TestHost[] = [];
  for (let index = 0; index < HOSTS; index++) all.push(await TestHost.create());
  return {
    all,
    async [Symbol.asyncDispose]() {
      for (const host of all) await host[Symbol.asyncDispose]();
    },
  };
}

describe.runIf(hasNetworks)("a host", () => {
  const faults: [string, WireFault][] = [
    ["is cut off", { cut: "both" }],
    ["can send, but not receive", { cut: "out" }],
    ["can receive, but not send", { cut: "in" }],
    ["loses 5 % of all packets", { loss: 0.05 }],
    ["has a latency of 100 ms", { delay: 0.1 }],
    ["has a slow link", { rate: 20_000, delay: 0.05 }],
  ];
  test.each(faults)("%s for a while", async (what, fault) => {
    await play(what, async ({ cluster, hosts: [host], load }) => {
      await host!.change(fault);
      await sleep(FAULT_MS);
      await load.more(32);
      await host!.heal();
      await cluster.ready("worker-0");
    });
  });

  test("disappears without a FIN", async () => {
    await play("host vanished", async ({ cluster, hosts: [host] }) => {
      await host!.change({ cut: "both" });
      cluster.workers.get("worker-0")!.signal("SIGKILL");
      const since = performance.now();
      await cluster.gateways[0]!.process.printed(/lost the connection to a worker.*silent/);
      // Detected by missing pings, long before TCP's timeout.
      expect(performance.now() - since).toBeLessThan(60_000);
      await cluster.gone("worker-0");
    });
  });
});
