import { afterEach, beforeEach, expect, it } from "vitest";
import type { ClusterAccess } from "./access.ts";
import { KubernetesApi, type KubernetesObject } from "./api.ts";
import { ListWatch } from "./list-watch.ts";
import { TestApiServer } from "./test-api-server.ts";

const PATH = "/api/v1/namespaces/models/pods";
const resource = { group: "/api/v1", kind: "pods", namespace: "models", labelSelector: "app=vllm" } as const;
const pod = (name: string, app = "vllm") => ({ metadata: { name, labels: { app } } });

let server: TestApiServer;
let watch: ListWatch;
let names: string[] | undefined;
let failures: string[];
let recoveries: number;

beforeEach(async () => {
  server = await TestApiServer.start();
  names = undefined;
  failures = [];
  recoveries = 0;
  const access: ClusterAccess = {
    server: server.url,
    namespace: "models",
    tls: {},
    token: async () => "secret",
  };
  watch = new ListWatch(new KubernetesApi(access), resource, {
    onObjects(objects: readonly KubernetesObject[]) {
      names = objects.map(({ metadata }) => metadata.name).sort();
    },
    onUnavailable: (reason) => failures.push(reason),
    onAvailable: () => recoveries++,
  });
});

afterEach(async () => {
  watch.close();
  await server.close();
});

const become = (...wanted: string[]) => expect.poll(() => names).toEqual(wanted);

it("lists, and follows additions, changes and removals", async () => {
  server.put(PATH, pod("a"));
  server.put(PATH, pod("other", "web"));
  watch.open();
  await become("a");
  server.put(PATH, pod("b"));
  await become("a", "b");
  server.remove(PATH, "a");
  await become("b");
  expect(server.requests.filter((each) => !each.includes("watch=true"))).toHaveLength(1);
});

it("resumes at the same version when the server ends the watch", async () => {
  watch.open();
  await expect.poll(() => server.watching).toBe(1);
  server.bookmark();
  server.endWatches();
  server.put(PATH, pod("a"));
  await become("a");
  expect(server.requests.filter((each) => !each.includes("watch=true"))).toHaveLength(1);
  expect(failures).toEqual([]);
});

it.each([
  ["in the watch", (api: TestApiServer) => api.expire()],
  [
    "at its beginning",
    (api: TestApiServer) => {
      api.put(PATH, pod("gone"));
      api.remove(PATH, "gone");
      api.forget();
      api.endWatches();
    },
  ],
])("lists again when its version has expired, which the server reports %s", async (_where, expire) => {
  server.put(PATH, pod("a"));
  watch.open();
  await become("a");
  await expect.poll(() => server.watching).toBe(1);
  expire(server);
  server.put(PATH, pod("b"));
  await become("a", "b");
});

it("keeps the known objects while the server is unreachable, and reports that once", async () => {
  server.put(PATH, pod("a"));
  watch.open();
  await become("a");
  await expect.poll(() => server.watching).toBe(1);
  server.failure = { code: 503, message: "busy" };
  server.cut();
  await expect.poll(() => failures.length).toBe(1);
  server.remove(PATH, "a");
  expect(names).toEqual(["a"]);
  server.failure = undefined;
  await become();
  await expect.poll(() => recoveries).toBe(1);
  expect(failures).toHaveLength(1);
});

it("falls back to lists if watches are refused, and reports that once", async () => {
  server.watchFailure = { code: 403, message: 'User "x" cannot watch resource "pods"' };
  server.put(PATH, pod("a"));
  watch.open();
  await become("a");
  server.put(PATH, pod("b"));
  await become("a", "b");
  expect(failures).toEqual([expect.stringContaining("cannot watch resource")]);
  expect(recoveries).toBe(0);
  server.watchFailure = undefined;
  await expect.poll(() => recoveries).toBe(1);
});

it.each([
  [401, "rejects this token"],
  [403, "may not read pods in the namespace 'models': give it a role with get, list and watch"],
  [500, "status 500. out of order"],
])("says what a %i means", async (code, message) => {
  server.failure = { code, message: "out of order" };
  watch.open();
  await expect.poll(() => failures[0]).toContain(message);
});

it("names the address of an unreachable server", async () => {
  const { url } = server;
  await server.close();
  watch.open();
  await expect.poll(() => failures[0]).toContain(`${url} cannot be reached: connect ECONNREFUSED`);
  server = await TestApiServer.start();
});
