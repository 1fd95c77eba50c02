import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { stringify } from "yaml";
import { TestApiServer } from "../../../runtime/discovery/kubernetes/test-api-server.ts";
import { makeAuthority, makeCertificate } from "../../../scripts/testing/certificates.ts";
import { ask } from "../access/attached.ts";
import { StandInProcess } from "../attach/stand-in-process.ts";
import { metric, until } from "../metrics.ts";
import { refusalOf } from "../refusal.ts";
import { StatorProcess } from "../stator-process.ts";
import { Cluster } from "./cluster.ts";

// Stator's own workers in the pods of a Kubernetes cluster, without another store.

const SLICES = "/apis/discovery.k8s.io/v1/namespaces/models/endpointslices";

let folder: string;
let api: TestApiServer;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-pods-"));
});
afterAll(() => rm(folder, { recursive: true }));

beforeEach(async () => {
  api = await TestApiServer.start();
  const kubeconfig = join(folder, "kubeconfig");
  const document = {
    "current-context": "main",
    contexts: [{ name: "main", context: { cluster: "c", namespace: "models" } }],
    clusters: [{ name: "c", cluster: { server: api.url } }],
  };
  await writeFile(kubeconfig, stringify(document));
  url = `kubernetes:workers:plane?kubeconfig=${kubeconfig}`;
});
afterEach(() => api.close());

/** A worker in a pod. Each has another port, because all pods are on this machine. */
async function startWorker(name: string, ...flags: string[]) {
  const args = ["worker", "echo", "--config=none", `--name=${name}`, "--discovery=kubernetes:", ...flags];
  const listen = flags.some((flag) => flag.startsWith("--listen")) ? [] : ["--listen=tcp:127.0.0.1:0"];
  const worker = new StatorProcess([...args, ...listen]);
  const [, port] = await worker.printed(/worker is ready.* address=\S+:(\d+)/);
  return { worker, port: Number(port) };
}

function putPod(name: string, port: number, conditions: object = { ready: true }, service = "workers"): void {
  api.put(SLICES, {
    metadata: { name: `slice-of-${name}`, labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    ports: [{ name: "plane", port }],
    endpoints: [{ addresses: ["127.0.0.1"], conditions, targetRef: { kind: "Pod", name } }],
  });
}

const become = (cluster: Cluster, states: Record<string, string>) =>
  expect.poll(() => cluster.states()).toEqual(states);

test("workers join, answer, drain when their pods go, and come back", async () => {
  const [one, two] = [await startWorker("one"), await startWorker("two")];
  putPod("pod-1", one.port);
  const cluster = await Cluster.start(url, "--drain-within=0.2");
  await become(cluster, { one: "ready" });
  expect(await cluster.complete()).toBe("one");
  putPod("pod-2", two.port);
  await become(cluster, { one: "ready", two: "ready" });

  putPod("pod-1", one.port, { ready: false });
  await cluster.gateway.printed(/worker is leaving.* worker=one/);
  expect(await cluster.complete()).toBe("two");
  await become(cluster, { two: "ready" });
  expect(one.worker.isRunning).toBe(true);
  putPod("pod-1", one.port);
  await become(cluster, { one: "ready", two: "ready" });

  // As when a pod is deleted: SIGTERM, which may be faster than the API server's news.
  two.worker.signal("SIGTERM");
  expect(await two.worker.ended()).toBe(0);
  api.remove(SLICES, "slice-of-pod-2");
  await become(cluster, { one: "ready" });
  for (let request = 0; request < 4; request++) expect(await cluster.complete()).toBe("one");
});

test("answers end on the worker of an unready pod if they cannot move", async () => {
  const { port } = await startWorker("one", "--delay=60");
  putPod("pod-1", port);
  const cluster = await Cluster.start(url, "--drain-within=0.1");
  await become(cluster, { one: "ready" });
  const json = { model: "echo", prompt: "a".repeat(40), max_tokens: 40, stream: true };
  // Its headers arrive with the first token.
  const answer = await fetch(`${cluster.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(json),
  });
  expect(answer.status).toBe(200);
  putPod("pod-1", port, { ready: false });
  await become(cluster, {});
  const text = await answer.text();
  expect(text.match(/"text":"a"/g)).toHaveLength(40);
  expect(text).toMatch(/data: \[DONE\]\n\n$/);
});

test("no request fails while pods are replaced one after the other", async () => {
  const cluster = await Cluster.start(url);
  let pods = [await startWorker("a-0", "--delay=2"), await startWorker("b-0", "--delay=2")];
  for (const [index, { port }] of pods.entries()) putPod(`pod-${index}`, port);
  await become(cluster, { "a-0": "ready", "b-0": "ready" });
  let isOver = false;
  const answered = { count: 0 };
  const clients = Array.from({ length: 16 }, async () => {
    while (!isOver) {
      await cluster.complete();
      answered.count++;
    }
  });
  for (let round = 1; round <= 2; round++) {
    const next = [];
    for (const [index, { worker }] of pods.entries()) {
      const name = `${"ab"[index]}-${round}`;
      const fresh = await startWorker(name, "--delay=2");
      putPod(`new-${name}`, fresh.port);
      await expect.poll(async () => (await cluster.states())[name]).toBe("ready");
      worker.signal("SIGTERM");
      expect(await worker.ended()).toBe(0);
      next.push(fresh);
    }
    pods = next;
  }
  isOver = true;
  await Promise.all(clients);
  expect(answered.count).toBeGreaterThan(50);
  await become(cluster, { "a-2": "ready", "b-2": "ready" });
});

test("a worker that an operator removes leaves every gateway, and its successor joins", async () => {
  const { worker, port } = await startWorker("one");
  putPod("pod-1", port);
  const [first, second] = [await Cluster.start(url), await Cluster.start(url)];
  for (const cluster of [first, second]) await become(cluster, { one: "ready" });
  await fetch(`${first.url}/admin/workers/one?within=0s`, { method: "DELETE" });
  expect(await worker.ended()).toBe(0);
  await second.gateway.printed(/worker is leaving.* worker=one/);
  for (const cluster of [first, second]) await become(cluster, {});
  await startWorker("successor", `--listen=tcp:127.0.0.1:${port}`);
  for (const cluster of [first, second]) await become(cluster, { successor: "ready" });
  expect(second.gateway.stdout + second.gateway.stderr).not.toContain("sharing load");
});

/** Waits for a gateway's peer plane, and puts its pod. */
async function putGateway(name: string, gateway: StatorProcess): Promise<void> {
  const [, port] = await gateway.printed(/listening for other gateways address=\S+:(\d+)/);
  putPod(name, Number(port), { ready: true }, "stator");
}

const PEER_FLAGS = ["--peer-listen=tcp:127.0.0.1:0", "--log-level=debug"];

test("gateways find each other by their service, and share their load", async () => {
  const { port } = await startWorker("one", "--delay=60");
  putPod("pod-1", port);
  const shared = `${url}&gateways=stator:plane`;
  const first = await Cluster.start(shared, ...PEER_FLAGS);
  await putGateway("gateway-1", first.gateway);
  const second = await Cluster.start(shared, ...PEER_FLAGS);
  await putGateway("gateway-2", second.gateway);
  for (const { gateway } of [first, second]) await gateway.printed(/sharing load with another gateway/);
  for (const cluster of [first, second]) await become(cluster, { one: "ready" });
  const aborted = new AbortController();
  const stream = await fetch(`${first.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "echo", prompt: "a".repeat(900), max_tokens: 900, stream: true }),
    signal: aborted.signal,
  });
  expect(stream.status).toBe(200);
  const booked = () => metric(second.url, "stator_worker_active_requests", { worker: "one" });
  await expect.poll(booked).toBe(1);
  // Its registration lasts as long as the gateway, although its pod is no longer listed.
  api.remove(SLICES, "slice-of-gateway-1");
  await startWorker("two").then((two) => putPod("pod-2", two.port));
  await become(second, { one: "ready", two: "ready" });
  expect(await booked()).toBe(1);
  aborted.abort();
  await expect.poll(booked).toBe(0);
  expect(await first.gateway.stop()).toBe(0);
  await second.gateway.printed(/another gateway is gone/);
});

test("gateways in front of engines find each other too, and a new one knows the caches", async () => {
  const engine = await StandInProcess.start("vllm", "--kv-port=0");
  const discovery = `kubernetes:?gateways=stator:plane&${url.split("?")[1]}`;
  const attach = () =>
    new StatorProcess([
      "attach",
      engine.url,
      "--port=0",
      "--config=none",
      `--discovery=${discovery}`,
      ...PEER_FLAGS,
    ]);
  const prompt = "Once upon a time, ".repeat(20);
  const overlap = async (gateway: StatorProcess) => {
    const [, at] = await gateway.printed(/Send requests to (http:\/\/[^\s/]+)/);
    const { headers, status } = await ask(`${at}/v1/completions`, {
      json: { model: "tiny", prompt, max_tokens: 1 },
      headers: { "x-stator-explain": "true" },
    });
    expect(status).toBe(200);
    return Number(headers.get("x-stator-overlap-blocks"));
  };
  const first = attach();
  await putGateway("gateway-1", first);
  await expect.poll(() => overlap(first)).toBeGreaterThan(10);
  const second = attach();
  await second.printed(/took over what another gateway knows of .* workers=1/);
  expect(await overlap(second)).toBeGreaterThan(10);
  for (const each of [first, second]) expect(await each.stop()).toBe(0);
});

test("gateways with certificates find each other", async () => {
  const authority = await makeAuthority(folder, "peers");
  const { cert, key } = await makeCertificate(folder, "peer", authority);
  const tls = [`--worker-ca=${authority.cert}`, `--worker-tls-cert=${cert}`, `--worker-tls-key=${key}`];
  const discovery = `kubernetes:?gateways=stator:plane&${url.split("?")[1]}`;
  const start = () => Cluster.start(discovery, ...PEER_FLAGS, ...tls);
  const [first, second] = [await start(), await start()];
  await putGateway("gateway-1", first.gateway);
  await putGateway("gateway-2", second.gateway);
  for (const { gateway } of [first, second])
    await gateway.printed(/sharing load with another gateway.* address=tls:/);
});

test("workers stay while the API server is away", async () => {
  const [one, two] = [await startWorker("one"), await startWorker("two")];
  putPod("pod-1", one.port);
  const cluster = await Cluster.start(url, "--processes=2");
  await become(cluster, { one: "ready" });
  await until(async () => api.watching === 3);
  api.failure = { code: 503, message: "It restarts." };
  api.cut();
  await cluster.gateway.printed(/discovery is unreachable; continuing with the last known state/);
  expect(await cluster.complete()).toBe("one");
  putPod("pod-2", two.port);
  api.failure = undefined;
  await become(cluster, { one: "ready", two: "ready" });
  await cluster.gateway.printed(/discovery is reachable again/);
});

test("workers have certificates, and a probe of their port is no error", async () => {
  const authority = await makeAuthority(folder, "authority");
  const { cert, key } = await makeCertificate(folder, "worker", authority);
  const { worker, port } = await startWorker("one", `--tls-cert=${cert}`, `--tls-key=${key}`);
  const plain = await startWorker("two");
  for (const each of [port, plain.port]) {
    const probe = connect(each, "127.0.0.1");
    await once(probe, "connect");
    probe.destroy();
  }
  putPod("pod-1", port);
  const cluster = await Cluster.start(url, `--worker-ca=${authority.cert}`);
  await become(cluster, { one: "ready" });
  expect(await cluster.complete()).toBe("one");
  for (const each of [worker, plain.worker]) expect(each.stdout + each.stderr).not.toContain("warn");
  await fetch(`http://127.0.0.1:${port}/`).catch(() => {});
  await worker.printed(/A client at \S+ was refused: http request/);
});

test("stator doctor examines the pods", async () => {
  const { port } = await startWorker("one");
  putPod("pod-1", port);
  const well = new StatorProcess(["doctor", "--config=none", "--timeout=5", `--discovery=${url}`]);
  expect(await well.ended()).toBe(0);
  expect(well.stdout).toContain("The API server lists the workers' pods.");
  expect(well.stdout).toMatch(/worker one\n +ok +It can be reached from here at tcp:127\.0\.0\.1:\d+/);
  expect(well.stdout).not.toContain("No gateway has registered");
  putPod("pod-2", 1);
  const ill = new StatorProcess(["doctor", "--config=none", "--timeout=5", `--discovery=${url}`]);
  expect(await ill.ended()).toBe(1);
  expect(ill.stdout).toMatch(/The pod pod-2 does not answer at tcp:127\.0\.0\.1:1/);
  api.failure = { code: 403, message: "" };
  const refused = new StatorProcess(["doctor", "--config=none", "--timeout=5", `--discovery=${url}`]);
  expect(await refused.ended()).toBe(1);
  expect(refused.stdout).toMatch(/may not read\s+endpointslices/);
});

test.each([
  [["gateway", "--discovery=kubernetes:"], "must say which pods are workers"],
  [["gateway", "--discovery=kubernetes:w", "--peer-listen=tcp:127.0.0.1:0"], "add gateways=SERVICE"],
  [["attach", "--discovery=kubernetes:w", "http://127.0.0.1:1"], "kubernetes:?gateways=SERVICE finds them"],
  [["worker", "echo", "--discovery=kubernetes:", "--listen=nats:"], "--listen tcp:HOST:PORT"],
  [["worker", "mocker", "--discovery=kubernetes:", "--workers=2"], "omit --workers"],
])("stator refuses %j", async (args, message) => {
  const { code, stderr } = await refusalOf(...(args as [string]), "--config=none");
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
