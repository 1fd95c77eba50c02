import { describe, expect, test } from "vitest";
import { hasEtcd, startEtcd } from "../../../runtime/discovery/etcd/test-etcd.ts";
import { hasNats, startNats } from "../../../runtime/testing/nats-server.ts";
import { makeAuthority, makeCertificate } from "../../../scripts/testing/certificates.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { Cluster } from "./cluster.ts";

// Gateways and workers as they run on several hosts: a store that they share, and each kind of request plane.

const folder = temporaryFolder();
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
  "NATS alone": {
    store: "nats",
    worker: ["--listen=nats:"],
    gateway: [],
    address: /address=nats:stator\.plane\./,
  },
};

describe.each(Object.entries(planes))("a cluster on %s", (_, { store, worker, gateway, address }) => {
  test.runIf(store === "etcd" ? hasEtcd : hasNats)(
    "answers, through the loss of a worker and of its store",
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

      // With NATS alone, the request plane is away too, and back with it.
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
  "a worker whose certificate the gateway does not trust is named, with the reason",
  async () => {
    await using server = await startEtcd();
    const cluster = await Cluster.start(`etcd://${server.host}`);
    const worker = cluster.worker("one", ...tls);
    await cluster.gateway.printed(/a worker cannot be reached; retrying worker=one reason=".*certificate/);
    expect(await cluster.states()).toEqual({ one: "connecting" });
    expect(await worker.stop()).toBe(0);
  },
);
