import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stringify } from "yaml";
import { findClusterAccess } from "./access.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-kubernetes-"));
});

afterAll(() => rm(folder, { recursive: true }));

const config = (user: object, cluster: object = {}) => ({
  "current-context": "main",
  contexts: [{ name: "main", context: { cluster: "c", user: "u", namespace: "models" } }],
  clusters: [{ name: "c", cluster: { server: "https://10.0.0.1:6443/", ...cluster } }],
  users: [{ name: "u", user }],
});

async function written(document: unknown): Promise<string> {
  const path = join(folder, "config");
  await writeFile(path, typeof document === "string" ? document : stringify(document));
  return path;
}

it("reads a kubeconfig's current context", async () => {
  const ca = Buffer.from("authority").toString("base64");
  const path = await written(config({ token: "secret" }, { "certificate-authority-data": ca }));
  const access = findClusterAccess(path, {});
  expect(access).toMatchObject({ server: "https://10.0.0.1:6443", namespace: "models" });
  expect(access.tls.ca?.toString()).toBe("authority");
  expect(await access.token()).toBe("secret");
  expect(findClusterAccess(undefined, { KUBECONFIG: path }).server).toBe(access.server);
});

it("reads files next to the kubeconfig, and re-reads a changed token", async () => {
  await writeFile(join(folder, "token"), "first\n");
  await writeFile(join(folder, "ca.pem"), "authority");
  const path = await written(config({ tokenFile: "token" }, { "certificate-authority": "ca.pem" }));
  const access = findClusterAccess(path, {});
  expect(access.tls.ca?.toString()).toBe("authority");
  expect(await access.token()).toBe("first");
  await writeFile(join(folder, "token"), "second\n");
  expect(await access.token()).toBe("second");
});

it("finds a pod's service account", async () => {
  for (const name of ["token", "ca.crt", "namespace"]) await writeFile(join(folder, name), `${name}\n`);
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
  const access = findClusterAccess(undefined, env, folder);
  expect(access).toMatchObject({ server: "https://[fd00::1]:6443", namespace: "namespace" });
  expect(await access.token()).toBe("token");
});

it.each([
  [config({ exec: { command: "aws" } }), "authenticates with 'exec', which Stator does not support"],
  [{ ...config({}), "current-context": "other" }, "there is no context named 'other'"],
  [config({}, { server: "nonsense" }), "clusters.0.cluster.server is invalid"],
  [config({}, { "certificate-authority": "missing.pem" }), "ENOENT"],
  ["a: [", "--kubeconfig"],
  ["nothing", "is invalid"],
])("refuses %j", async (document, message) => {
  const path = await written(document);
  expect(() => findClusterAccess(path, {})).toThrow(message);
});

it("says what to do without a file", () => {
  expect(() => findClusterAccess(join(folder, "missing"), {})).toThrow("ENOENT");
});
