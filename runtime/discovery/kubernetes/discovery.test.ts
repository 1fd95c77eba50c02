import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { randomId } from "../../ids.ts";
import { InstanceAnnouncer, instanceEndpoint } from "../../instance-endpoint.ts";
import type { Instance } from "../../model-card.ts";
import { serve } from "../../request-plane/server.ts";
import type { RequestPlaneServer } from "../../request-plane/types.ts";
import { openDiscovery } from "../open.ts";
import { watchLog } from "../testing.ts";
import type { Discovery, DiscoveryOptions, StoreState } from "../types.ts";
import { TestApiServer } from "./test-api-server.ts";

const SLICES = "/apis/discovery.k8s.io/v1/namespaces/models/endpointslices";
const PODS = "/api/v1/namespaces/models/pods";

const card: Instance["card"] = {
  name: "echo",
  aliases: [],
  apis: ["completions"],
  role: "aggregated",
  contextLength: 1024,
  blockSize: 16,
  totalBlocks: 64,
  maxBatchedTokens: 1024,
  maxSequences: 4,
  dataParallelSize: 1,
  tokenizer: { kind: "worker", sha256: "abc" },
  specialTokens: {},
  addBos: false,
  eosTokenIds: [],
  vocabularySize: 256,
  features: { logprobs: false, logitBias: false, embeddings: false },
  engine: { name: "echo", version: "1" },
  created: 1,
};

/** What a worker serves. */
class Worker {
  readonly instance: Instance;
  readonly announcer = new InstanceAnnouncer();
  server!: RequestPlaneServer;

  constructor(name: string) {
    this.instance = {
      id: randomId(),
      namespace: "test",
      component: "echo",
      address: "tcp:0.0.0.0:1",
      name,
      pid: 1,
      card,
    };
  }

  get key(): string {
    return `instances/${this.instance.id}`;
  }

  get port(): number {
    return Number(this.server.address.split(":").at(-1));
  }

  async start(port = 0): Promise<this> {
    this.server = await serve(`tcp:127.0.0.1:${port}`, { [instanceEndpoint]: this.announcer.handler });
    workers.push(this);
    this.announcer.announce(this.instance);
    return this;
  }
}

let folder: string;
let kubeconfig: string;
let api: TestApiServer;
let discovery: Discovery | undefined;
let workers: Worker[];
let gateways: RequestPlaneServer[];
let errors: string[];
let states: StoreState[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-pods-"));
  kubeconfig = join(folder, "config");
});
afterAll(() => rm(folder, { recursive: true }));

beforeEach(async () => {
  api = await TestApiServer.start();
  workers = [];
  gateways = [];
  errors = [];
  states = [];
  const document = {
    "current-context": "main",
    contexts: [{ name: "main", context: { cluster: "c", namespace: "models" } }],
    clusters: [{ name: "c", cluster: { server: api.url } }],
  };
  await writeFile(kubeconfig, stringify(document));
});
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  await discovery?.close();
  discovery = undefined;
  for (const server of [...workers.map(({ server }) => server), ...gateways]) await server.close();
  await api.close();
});

async function open(place: string, options: DiscoveryOptions = {}): Promise<Discovery> {
  const query = `kubeconfig=${encodeURIComponent(kubeconfig)}`;
  discovery = await openDiscovery(`kubernetes:${place}${place.includes("?") ? "&" : "?"}${query}`, {
    onError: ({ message }) => errors.push(message),
    onState: (state) => states.push(state),
    drainWithinMs: 200,
    ...options,
  });
  return discovery;
}

/** One slice per pod, because pods on one machine have different ports. */
const slice = (pod: string, port: number, conditions: object = { ready: true }, service = "workers") => ({
  metadata: { name: `slice-of-${pod}`, labels: { "kubernetes.io/service-name": service } },
  addressType: "IPv4",
  ports: [{ name: "plane", port }],
  endpoints: [{ addresses: ["127.0.0.1"], conditions, targetRef: { kind: "Pod", name: pod } }],
});

it("finds workers by their pods, at the addresses where they are reached", async () => {
  const [one, two] = [await new Worker("one").start(), await new Worker("two").start()];
  api.put(SLICES, slice("pod-1", one.port));
  const { entries, until } = await watchLog(await open("workers:plane"), "instances/");
  expect([...entries.keys()]).toEqual([one.key]);
  expect(entries.get(one.key)).toMatchObject({
    name: "one",
    address: one.server.address,
    card: { name: "echo" },
  });
  api.put(SLICES, slice("pod-2", two.port));
  await until((now) => now.has(two.key));
  expect(errors).toEqual([]);
});

it("finds pods by label, and by a port that a headless service does not name", async () => {
  const [one, two] = [await new Worker("one").start(), await new Worker("two").start()];
  api.put(PODS, {
    metadata: { name: "pod-1", labels: { app: "worker" } },
    spec: { containers: [{}] },
    status: { phase: "Running", podIP: "127.0.0.1", conditions: [{ type: "Ready", status: "True" }] },
  });
  await open(`?selector=app%3Dworker&namespace=models&port=${one.port}`);
  expect([...(await discovery!.get("")).keys()]).toEqual([one.key]);
  await discovery!.close();
  api.put(SLICES, { ...slice("pod-2", two.port), ports: [] });
  await open(`models/workers:${two.port}`);
  expect([...(await discovery!.get("")).keys()]).toEqual([two.key]);
});

it("asks a pod again that does not answer yet, and says so once", async () => {
  const late = await new Worker("late").start();
  const { port } = late;
  await late.server.close();
  api.put(SLICES, slice("pod-1", port));
  const { until } = await watchLog(await open("workers:plane"), "");
  await expect.poll(() => errors).toHaveLength(1);
  expect(errors[0]).toContain(`The pod pod-1 does not answer at tcp:127.0.0.1:${port}, and is asked again:`);
  await late.start(port);
  await until((now) => now.has(late.key));
  expect(errors).toHaveLength(1);
});

it.each([
  ["unready", (worker: Worker) => api.put(SLICES, slice("pod-1", worker.port, { ready: false }))],
  ["terminating", (worker: Worker) => api.put(SLICES, slice("pod-1", worker.port, { terminating: true }))],
  ["gone", () => api.remove(SLICES, "slice-of-pod-1")],
])(
  "announces the worker of a pod that is %s as leaving, then deletes it; it can come back",
  async (_, end) => {
    const worker = await new Worker("one").start();
    api.put(SLICES, slice("pod-1", worker.port));
    const log = await watchLog(await open("workers:plane"), "");
    end(worker);
    await log.until((now) => now.size === 0);
    expect(log.events.slice(1)).toEqual([
      { type: "put", key: worker.key, value: expect.objectContaining({ drainWithinMs: 200 }) },
      { type: "delete", key: worker.key },
    ]);
    api.put(SLICES, slice("pod-1", worker.port));
    await log.until((now) => now.has(worker.key));
    expect(log.entries.get(worker.key)).not.toHaveProperty("drainWithinMs");
  },
);

it("keeps a worker whose pod is ready again before it is deleted", async () => {
  const worker = await new Worker("one").start();
  api.put(SLICES, slice("pod-1", worker.port));
  const log = await watchLog(await open("workers:plane", { drainWithinMs: 300 }), "");
  const isLeaving = (now: Map<string, unknown>) => "drainWithinMs" in Object(now.get(worker.key));
  api.put(SLICES, slice("pod-1", worker.port, { ready: false }));
  await log.until(isLeaving);
  api.put(SLICES, slice("pod-1", worker.port));
  await log.until((now) => !isLeaving(now));
  // The time after which the pod that was unready is forgotten.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(log.events.map(({ type }) => type)).toEqual(["snapshot", "put", "put"]);
});

it("passes on that a worker is leaving, and forgets it when it has ended", async () => {
  const worker = await new Worker("one").start();
  api.put(SLICES, slice("pod-1", worker.port));
  const log = await watchLog(await open("workers:plane"), "");
  worker.announcer.announce({ ...worker.instance, drainWithinMs: 7_000 });
  await log.until((now) => "drainWithinMs" in Object(now.get(worker.key)));
  api.remove(SLICES, "slice-of-pod-1");
  await worker.server.drain(1_000);
  await log.until((now) => now.size === 0);
  expect(log.events.map(({ type }) => type)).toEqual(["snapshot", "put", "delete"]);
});

it("replaces a worker that restarts in its pod", async () => {
  const before = await new Worker("before").start();
  const { port } = before;
  api.put(SLICES, slice("pod-1", port));
  const log = await watchLog(await open("workers:plane"), "");
  await before.server.close();
  const after = await new Worker("after").start(port);
  await log.until((now) => now.has(after.key));
  expect([...log.entries.keys()]).toEqual([after.key]);
});

it("keeps the workers while the API server is away", async () => {
  const [one, two] = [await new Worker("one").start(), await new Worker("two").start()];
  api.put(SLICES, slice("pod-1", one.port));
  const { entries, until } = await watchLog(await open("workers:plane"), "");
  await expect.poll(() => api.watching).toBe(1);
  api.failure = { code: 503, message: "It restarts." };
  api.cut();
  await expect.poll(() => discovery!.isReachable).toBe(false);
  api.remove(SLICES, "slice-of-pod-1");
  api.put(SLICES, slice("pod-2", two.port));
  expect([...entries.keys()]).toEqual([one.key]);
  api.failure = undefined;
  await until((now) => now.has(two.key) && !now.has(one.key));
  expect(discovery!.isReachable).toBe(true);
  expect(states.map(({ isReachable }) => isReachable)).toEqual([false, true]);
});

it("announces a pod of two services until neither lists it", async () => {
  const worker = await new Worker("one").start();
  const other = {
    ...slice("pod-1", worker.port, {}, "others"),
    metadata: { name: "other", labels: { "kubernetes.io/service-name": "others" } },
  };
  api.put(SLICES, slice("pod-1", worker.port));
  api.put(SLICES, other);
  const log = await watchLog(await open("workers:plane,others:plane"), "");
  expect(log.entries.size).toBe(1);
  await expect.poll(() => api.watching).toBe(2);
  api.remove(SLICES, "slice-of-pod-1");
  const second = await new Worker("two").start();
  api.put(SLICES, slice("pod-2", second.port));
  await log.until((now) => now.has(second.key));
  expect(log.events.map(({ type }) => type)).toEqual(["snapshot", "put"]);
  api.remove(SLICES, "other");
  await log.until((now) => now.size === 1);
});

/** Serves a gateway's side of the plane. */
async function startGateway(id: string, port = 0): Promise<RequestPlaneServer> {
  const announcer = new InstanceAnnouncer();
  const server = await serve(`tcp:127.0.0.1:${port}`, { [instanceEndpoint]: announcer.handler });
  announcer.announceValue({ id, address: "tcp:0.0.0.0:7000", startedAt: 1 });
  gateways.push(server);
  return server;
}

const portOf = ({ address }: RequestPlaneServer) => Number(address.split(":").at(-1));

const GATEWAY_SLICE = (pod: string, server: RequestPlaneServer, conditions = {}) =>
  slice(pod, portOf(server), { ready: true, ...conditions }, "stator");

it("finds gateways by the pods of their service, once somebody asks for them", async () => {
  const worker = await new Worker("one").start();
  const gateway = await startGateway("a");
  api.put(SLICES, slice("pod-1", worker.port));
  api.put(SLICES, GATEWAY_SLICE("gateway-a", gateway));
  await open("workers:plane?gateways=stator:plane");
  await expect.poll(() => api.watching).toBe(1);
  const { entries, until } = await watchLog(discovery!, "gateways/");
  expect([...entries]).toEqual([["gateways/a", { id: "a", address: gateway.address, startedAt: 1 }]]);
  expect([...(await discovery!.get("instances/")).keys()]).toEqual([worker.key]);
  api.put(SLICES, GATEWAY_SLICE("gateway-b", await startGateway("b")));
  await until((now) => now.has("gateways/b"));
  expect(errors).toEqual([]);
});

it("keeps a gateway that terminates until it has ended", async () => {
  const gateway = await startGateway("a");
  api.put(SLICES, GATEWAY_SLICE("gateway-a", gateway));
  const { events, until } = await watchLog(await open("?gateways=stator:plane"), "gateways/");
  const other = await startGateway("b");
  api.put(SLICES, GATEWAY_SLICE("gateway-a", gateway, { terminating: true }));
  api.put(SLICES, GATEWAY_SLICE("gateway-b", other));
  await until((now) => now.has("gateways/b"));
  expect(events.map(({ type }) => type)).toEqual(["snapshot", "put"]);
  await gateway.close();
  await until((now) => !now.has("gateways/a"));
  // One that restarts in its pod has another id.
  const { address } = other;
  await other.close();
  await startGateway("c", Number(address.split(":").at(-1)));
  await until((now) => now.has("gateways/c") && !now.has("gateways/b"));
});

it("says that something else answers in place of a gateway", async () => {
  const server = await serve("tcp:127.0.0.1:0", {});
  gateways.push(server);
  api.put(SLICES, GATEWAY_SLICE("gateway-a", server));
  await watchLog(await open("?gateways=stator:plane"), "gateways/");
  expect(errors).toEqual([expect.stringContaining("it is not a Stator gateway")]);
});

it("names the ports that pods have instead of the wanted one", async () => {
  const worker = await new Worker("one").start();
  api.put(SLICES, slice("pod-1", worker.port));
  await open("workers");
  expect(errors).toEqual([
    expect.stringContaining(`do not have the workers' port, but ${worker.port} (plane)`),
  ]);
});

it("says that something else answers", async () => {
  const server = await serve("tcp:127.0.0.1:0", {});
  api.put(SLICES, slice("pod-1", Number(server.address.split(":").at(-1))));
  await open("workers:plane");
  expect(errors).toEqual([expect.stringContaining("it is not a Stator worker")]);
  await server.close();
});

it("keeps leases and values of this process in it", async () => {
  await open("workers");
  const lease = await discovery!.lease();
  await discovery!.put("doctor/1", { a: 1 }, lease);
  expect(await discovery!.get("")).toEqual(new Map([["doctor/1", { a: 1 }]]));
  await lease.revoke();
  expect((await discovery!.get("")).size).toBe(0);
});

it("needs no cluster in a worker", async () => {
  vi.stubEnv("KUBECONFIG", "/nowhere");
  discovery = await openDiscovery("kubernetes:", { isWorker: true });
  await discovery.put("instances/1", 1, await discovery.lease());
  expect((await discovery.get("")).size).toBe(1);
});

it.each([
  ["kubernetes:", "must say which pods are workers"],
  ["kubernetes:?port=7000", "must say which pods are workers"],
  ["kubernetes:workers?gateways=a%20b", '"a b" is not a service'],
  ["kubernetes:a b", '"a b" is not a service'],
  ["kubernetes:workers?ports=1", 'has no parameter "ports"'],
  ["kubernetes:workers?kubeconfig=/nowhere", "ENOENT"],
])("refuses %s", async (url, message) => {
  await expect(openDiscovery(url)).rejects.toMatchObject({
    code: "bad_url",
    message: expect.stringContaining(message),
  });
});

it.each(["Deno", "Bun"])("is refused on %s", async (runtime) => {
  vi.stubGlobal(runtime, {});
  await expect(openDiscovery("kubernetes:workers")).rejects.toThrow(`not supported on ${runtime} yet`);
});
