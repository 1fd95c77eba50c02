import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { TestApiServer } from "../../../runtime/discovery/kubernetes/test-api-server.ts";
import { makeAuthority, makeCertificate } from "../../../scripts/testing/certificates.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { ask, attach, chat } from "../access/attached.ts";
import { until } from "../metrics.ts";
import { refusalOf } from "../refusal.ts";
import type { StatorProcess } from "../stator-process.ts";
import { StandInProcess } from "./stand-in-process.ts";
import { clientOf, streamChat } from "./streams.ts";

const SLICES = "/apis/discovery.k8s.io/v1/namespaces/models/endpointslices";
const PODS = "/api/v1/namespaces/models/pods";

let folder: string;
let engines: StandInProcess[];
let server: TestApiServer;
let kubeconfig: string;
let stator: StatorProcess | undefined;

beforeAll(async () => {
  folder = temporaryFolder();
  engines = await Promise.all(
    [1, 2].map(() => StandInProcess.start("vllm", "--inter-token-ms=5", "--kv-port=0", "--replay-port=0")),
  );
});

beforeEach(async () => {
  const authority = await makeAuthority(folder, "authority");
  const { cert, key } = await makeCertificate(folder, "server", authority);
  server = await TestApiServer.start({
    cert: await readFile(cert, "utf8"),
    key: await readFile(key, "utf8"),
  });
  server.token = "secret";
  kubeconfig = join(folder, "kubeconfig");
  const document = {
    "current-context": "main",
    contexts: [{ name: "main", context: { cluster: "c", user: "u", namespace: "models" } }],
    clusters: [{ name: "c", cluster: { server: server.url, "certificate-authority": "authority.pem" } }],
    users: [{ name: "u", user: { token: "secret" } }],
  };
  await writeFile(kubeconfig, stringify(document));
});

afterEach(async () => {
  await stator?.stop();
  stator = undefined;
  await server.close();
});

async function start(...flags: string[]): Promise<string> {
  const attached = await attach([], `--kubeconfig=${kubeconfig}`, "--health-interval=0.2", ...flags);
  stator = attached.stator;
  return attached.url;
}

/** One slice per engine, because engines on one machine have different ports. */
const slice = (pod: string, engine: StandInProcess, conditions: object = { ready: true }) => ({
  metadata: { name: `slice-of-${pod}`, labels: { "kubernetes.io/service-name": "vllm" } },
  addressType: "IPv4",
  ports: [{ name: "http", port: Number(new URL(engine.url).port) }],
  endpoints: [{ addresses: ["127.0.0.1"], conditions, targetRef: { kind: "Pod", name: pod } }],
});

const pod = (name: string, engine: StandInProcess, ready = "True") => ({
  metadata: { name, labels: { app: "vllm" }, annotations: { "stator.dev/tags": `pod=${name}` } },
  spec: { containers: [{ ports: [{ containerPort: Number(new URL(engine.url).port) }] }] },
  status: { phase: "Running", podIP: "127.0.0.1", conditions: [{ type: "Ready", status: ready }] },
});

async function workers(url: string): Promise<Record<string, string>> {
  const { body } = await ask(`${url}/admin/workers`);
  const data = body.data as unknown as { name: string; state: string }[];
  return Object.fromEntries(data.map(({ name, state }) => [name, state]));
}

const become = (url: string, wanted: Record<string, string>) =>
  expect.poll(() => workers(url)).toEqual(wanted);

describe("a service's engines", () => {
  test("are followed as pods appear, disappear, and reappear elsewhere", async () => {
    const [one, two] = engines as [StandInProcess, StandInProcess];
    server.put(SLICES, slice("vllm-0", one));
    const url = await start("--kubernetes-service=vllm");
    expect(stator!.stdout).toMatch(/vllm-0 +vLLM/);
    await become(url, { "vllm-0": "ready" });
    expect((await ask(`${url}/v1/chat/completions`, { json: chat() })).status).toBe(200);
    server.put(SLICES, slice("vllm-1", two));
    await become(url, { "vllm-0": "ready", "vllm-1": "ready" });
    server.remove(SLICES, "slice-of-vllm-0");
    await become(url, { "vllm-1": "ready" });
    // A pod of the same name at another address.
    server.put(SLICES, slice("vllm-1", one));
    await expect
      .poll(async () => (await ask(`${url}/admin/workers/vllm-1`)).body)
      .toMatchObject({ url: one.url, state: "ready" });
  });

  test("finish running requests when they become unready, and rejoin", async () => {
    const [one] = engines as [StandInProcess];
    server.put(SLICES, slice("vllm-0", one));
    const url = await start("--kubernetes-service=models/vllm:http");
    await become(url, { "vllm-0": "ready" });
    let hasBegun = false;
    const answer = await streamChat(clientOf(url), "Hello", 150, () => {
      if (!hasBegun) server.put(SLICES, slice("vllm-0", one, { ready: false }));
      hasBegun = true;
    });
    expect(answer.finishReason).toBe("length");
    await become(url, {});
    server.put(SLICES, slice("vllm-0", one));
    await become(url, { "vllm-0": "ready" });
  });

  test("stay out once detached by hand, until their pods are deleted", async () => {
    const [one, two] = engines as [StandInProcess, StandInProcess];
    server.put(SLICES, slice("vllm-0", one));
    const url = await start("--kubernetes-service=vllm");
    await become(url, { "vllm-0": "ready" });
    expect((await ask(`${url}/admin/workers/vllm-0`, { method: "DELETE" })).status).toBeLessThan(300);
    await become(url, {});
    server.put(SLICES, slice("vllm-1", two));
    await become(url, { "vllm-1": "ready" });
    server.remove(SLICES, "slice-of-vllm-0");
    server.put(SLICES, slice("vllm-0", one));
    await become(url, { "vllm-0": "ready", "vllm-1": "ready" });
  });

  test("of two namespaces can share a name; a missing port is reported", async () => {
    const [one, two] = engines as [StandInProcess, StandInProcess];
    server.put(SLICES, slice("vllm-0", one));
    server.put(SLICES.replace("models", "others"), slice("vllm-0", two));
    const services = "vllm,others/vllm,vllm:grpc";
    const url = await start(`--kubernetes-service=${services}`);
    await become(url, { "models.vllm-0": "ready", "others.vllm-0": "ready" });
    await stator!.printed(/pods do not have the requested port.*ports="?\d+ \(http\)/);
  });

  test("stay while the API server is unreachable, and are listed again afterwards", async () => {
    const [one, two] = engines as [StandInProcess, StandInProcess];
    server.put(SLICES, slice("vllm-0", one));
    const url = await start("--kubernetes-service=vllm");
    await become(url, { "vllm-0": "ready" });
    await until(async () => server.watching === 1);
    server.failure = { code: 503, message: "It restarts." };
    server.cut();
    await stator!.printed(/cannot list engines in Kubernetes; keeping the known ones/);
    expect((await ask(`${url}/v1/chat/completions`, { json: chat() })).status).toBe(200);
    server.put(SLICES, slice("vllm-1", two));
    server.failure = undefined;
    await become(url, { "vllm-0": "ready", "vllm-1": "ready" });
    await stator!.printed(/can list engines in Kubernetes again/);
  });
});

test("pods are selected by label, and annotations set what engines do not report", async () => {
  const [one, two] = engines as [StandInProcess, StandInProcess];
  server.put(PODS, pod("vllm-a", one));
  server.put(PODS, pod("vllm-b", two, "False"));
  const url = await start("--kubernetes-selector=app=vllm", "--processes=2");
  await become(url, { "vllm-a": "ready" });
  server.put(PODS, pod("vllm-b", two));
  await become(url, { "vllm-a": "ready", "vllm-b": "ready" });
  const tagged = () =>
    ask(`${url}/v1/chat/completions`, {
      json: chat(),
      headers: { "x-stator-tags": "pod=vllm-b", "x-stator-explain": "1" },
    });
  await until(async () => (await tagged()).status === 200);
  expect((await tagged()).headers.get("x-stator-worker")).toBe("vllm-b");
});

test("a missing role is named", async () => {
  server.failure = { code: 403, message: 'User "x" cannot list resource "pods"' };
  const url = await start("--kubernetes-selector=app=vllm");
  expect(stator!.stdout).toContain("There are no engines yet");
  await stator!.printed(
    /may not read pods in the namespace 'models': give it a role with get, list and watch/,
  );
  server.failure = undefined;
  server.put(PODS, pod("vllm-a", engines[0]!));
  await become(url, { "vllm-a": "ready" });
});

test.each([
  [["--kubernetes-namespace=models"], "--kubernetes-namespace needs --kubernetes-service"],
  [["--kubernetes-service=a b"], "it must be [NAMESPACE/]NAME[:PORT]"],
  [["--kubernetes-service=vllm", "--kubeconfig=/nowhere"], "--kubeconfig /nowhere"],
])("stator attach refuses %j", async (flags, message) => {
  const { code, stderr } = await refusalOf("attach", "--config=none", "--port=0", ...flags);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
