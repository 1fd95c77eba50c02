import { expect, test } from "vitest";
import { hasEtcd, startEtcd } from "../../../runtime/discovery/etcd/test-etcd.ts";
import { hasNats, startNats } from "../../../runtime/testing/nats-server.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { until } from "../metrics.ts";
import { Cluster } from "./cluster.ts";

// Several gateways in front of the same workers.

const folder = temporaryFolder();

/** Requests booked on the worker, as a gateway sees it. */
async function booked(gateway: Cluster): Promise<number> {
  const page = await (await fetch(`${gateway.url}/metrics`)).text();
  return Number(/stator_worker_active_requests\{[^}]*worker="one"[^}]*\} (\d+)/.exec(page)?.[1]);
}

async function peersOf(gateway: Cluster): Promise<number> {
  const page = await (await fetch(`${gateway.url}/metrics`)).text();
  return Number(/stator_gateway_peers\{[^}]*\} (\d+)/.exec(page)?.[1]);
}

/** Starts a stream. @returns a function that cancels it */
async function hold(gateway: Cluster): Promise<() => void> {
  const aborted = new AbortController();
  const response = await fetch(`${gateway.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "echo", prompt: "word ".repeat(800), max_tokens: 4_000, stream: true }),
    signal: aborted.signal,
  });
  expect(response.status).toBe(200);
  await response.body!.getReader().read();
  return () => aborted.abort();
}

test.each([
  ["file", true],
  ["etcd", hasEtcd],
  ["nats", hasNats],
] as const)(
  "gateways on %s share their loads, and a killed gateway's load is freed",
  async (kind, isThere) => {
    if (!isThere) return;
    const store = kind === "file" ? undefined : await (kind === "etcd" ? startEtcd() : startNats());
    try {
      const discovery = store === undefined ? `file:${folder}/discovery` : `${kind}://${store.host}`;
      const flags = kind === "nats" ? ["--peer-listen=nats:"] : [];
      const [one, two] = [await Cluster.start(discovery, ...flags), await Cluster.start(discovery, ...flags)];
      await one.join("one", "--delay=50");
      await until(async () => (await two.states()).one === "ready");
      await until(async () => (await peersOf(one)) === 1 && (await peersOf(two)) === 1);

      const [first, second] = [await hold(one), await hold(two)];
      await until(async () => (await booked(one)) === 2 && (await booked(two)) === 2);
      first();
      await until(async () => (await booked(one)) === 1 && (await booked(two)) === 1);
      two.gateway.signal("SIGKILL");
      await until(async () => (await booked(one)) === 0);
      expect(await one.complete()).toBe("one");
      second();
      await one.gateway.stop();
    } finally {
      await store?.[Symbol.asyncDispose]();
    }
  },
);
