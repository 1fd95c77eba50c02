import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { hasEtcd, startEtcd } from "../../../runtime/discovery/etcd/test-etcd.ts";
import { hasNats, startNats } from "../../../runtime/testing/nats-server.ts";
import { makeAuthority, makeCertificate } from "../../../scripts/testing/certificates.ts";
import { StatorProcess } from "../stator-process.ts";
import { Cluster } from "./cluster.ts";

// Gateways and workers as on several hosts: with a shared store and each kind of request plane.

const folder = mkdtempSync(join(tmpdir(), "stator-cluster-"));
afterAll(() => rmSync(folder, { recursive: true }));
const authority = await makeAuthority(folder, "authority");
const own = await makeCertificate(folder, "worker", authority);
const client = await makeCertificate(folder, "gateway", authority);

const tls = [`--tls-cert=${own.cert}`, `--tls-key=${own.key}`, `--tls-client-ca=${authority.cert}`];
const trust = [`--worker-ca=${authority.cert}`];
const identity = [`--worker-tls-cert=${client.cert}`, `--worker-tls-key=${client.key}`];

interface Plane {
  readonly store: "etcd" | "nats";
  readonly worker: readonly string[];
  readonly gateway: readonly string[];
  readonly address: RegExp;
}

const planes: Record<string, Plane> = {
  "etcd, TCP": { store: "etcd", worker: [], gateway: [], address: /address=tcp:127\.0\.0\.1:/ },
  "etcd, mutual TLS, two processes": {
    store: "etcd",
    worker: tls,
    gateway: [...trust, ...identity, "--processes=2"],
    address: /address=tls:127\.0\.0\.1:/,
  },
  "only NATS": {
    store: "nats",
    worker: ["--listen=nats:"],
    gateway: [],
    address: /address=nats:stator\.plane\./,
  },
};

describe.each(Object.entries(planes))("a cluster on %s", (_, { store, worker, gateway, address }) => {
  test.runIf(store === "etcd" ? hasEtcd : hasNats)(
    "keeps answering when a worker leaves and its store is down",
    async () => {
      await using server = store === "etcd" ? await startEtcd() : await startNats();
      const cluster = await Cluster.start(`${store}://${server.host}`, ...gateway);
      const one = await cluster.join("one", ...worker);
      await one.printed(address);
      await cluster.join("two", ...worker);
      expect(["one", "two"]).toContain(await cluster.complete());

      one.signal("SIGTERM");
      expect(await one.ended()).toBe(0);
      await cluster.gateway.printed(/worker left worker=one/);
      expect(await cluster.complete()).toBe("two");

      // With only NATS, the request plane is down too.
      if (store === "etcd") {
        await server.kill();
        await cluster.gateway.printed(/discovery is unreachable/);
        for (let round = 0; round < 5; round++) expect(await cluster.complete()).toBe("two");
        await server.resume();
      } else {
        server.signal("SIGSTOP");
        await cluster.gateway.printed(/discovery is unreachable/);
        server.signal("SIGCONT");
      }
      await cluster.gateway.printed(/discovery is reachable again/);
      await cluster.join("three", ...worker);
      expect(["two", "three"]).toContain(await cluster.complete());
      expect(await cluster.gateway.stop()).toBe(0);
    },
  );
});

test.runIf(hasEtcd)(
  "a worker whose certificate the gateway does not trust is reported with the reason",
  async () => {
    await using server = await startEtcd();
    const cluster = await Cluster.start(`etcd://${server.host}`);
    const worker = cluster.worker("one", ...tls);
    await cluster.gateway.printed(/a worker cannot be reached; retrying worker=one reason=".*certificate/);
    expect(await cluster.states()).toEqual({ one: "connecting" });
    expect(await worker.stop()).toBe(0);
  },
);

test.each([
  [["--tls-cert=x.pem"], /--tls-cert needs --tls-key too/],
  [["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.key"], /\/nowhere.pem cannot be read/],
  [
    ["--listen=unix:/tmp/x.sock", "--tls-cert=a", "--tls-key=b"],
    /--tls-cert is for workers that listen on a TCP/,
  ],
  [["--listen=nats:"], /--listen nats: needs a NATS server/],
  [
    ["--listen=unix:/tmp/stator-none.sock", "--advertise=host"],
    /--advertise is for a TCP port; --listen has none/,
  ],
  [["--advertise=a b:c"], /--advertise: .*is not host:port/],
])("stator worker with %j is rejected with the reason", async (flags, message) => {
  const worker = new StatorProcess([
    "worker",
    "echo",
    "--config=none",
    `--discovery=file:${folder}/d`,
    ...flags,
  ]);
  expect(await worker.ended()).not.toBe(0);
  expect(worker.stderr).toMatch(message);
});
