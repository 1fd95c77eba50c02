import { expect, it } from "vitest";
import { readWorkerdOptions, WORKERD_OPTIONS } from "./options.ts";

const ENGINES = "http://10.0.0.1:8000,http://10.0.0.2:8000";

it("reads engines and options from text, and from JSON", () => {
  const fromText = readWorkerdOptions({ STATOR_ENGINES: ENGINES, STATOR_OPEN: "true", STATOR_RETRIES: "5" });
  expect(fromText.engines?.map(({ url }) => url)).toEqual(ENGINES.split(","));
  expect(fromText.requestOptions?.retries).toBe(5);
  const fromJson = readWorkerdOptions({
    STATOR_ENGINES: [{ url: "http://10.0.0.1:8000", name: "one", tags: ["gpu=h100"] }],
    STATOR_OPEN: true,
    STATOR_HEALTH_INTERVAL: 0.5,
  });
  expect(fromJson.engines).toMatchObject([{ name: "one", tags: ["gpu=h100"] }]);
  expect(fromJson.health?.intervalMs).toBe(500);
});

it("has admin routes only with keys", () => {
  const keys = `keys: [{ id: me, hash: "sha256:${"0a".repeat(16)}:${"0b".repeat(32)}" }]`;
  const locked = readWorkerdOptions({ STATOR_ENGINES: ENGINES, STATOR_KEYS: keys });
  expect(locked.access?.keys).toHaveLength(1);
  expect(locked.admin).toBeUndefined();
  const open = readWorkerdOptions({ STATOR_ENGINES: ENGINES, STATOR_OPEN: "true" });
  expect(open.admin).toBeDefined();
});

it.each([
  [{ STATOR_ENGINES: ENGINES }, "No client is admitted yet"],
  [{ STATOR_OPEN: "true" }, "Bind STATOR_ENGINES"],
  [{ STATOR_ENGINES: ENGINES, STATOR_OPEN: "true", STATOR_KEYS: "keys: []" }, "omit it or STATOR_KEYS"],
  [{ STATOR_ENGINES: ENGINES, STATOR_KEYS: "nothing of the kind" }, "STATOR_KEYS"],
  [{ STATOR_ENGINES: ENGINES, STATOR_OPEN: "true", STATOR_POLICY: "best" }, "STATOR_POLICY cannot be"],
  [{ STATOR_ENGINES: ENGINES, STATOR_OPEN: "true", STATOR_POLICI: "kv" }, "Did you mean STATOR_POLICY?"],
  [{ STATOR_ENGINES: ENGINES, STATOR_OPEN: "true", STATOR_TLS_CERT: "a.pem" }, "docs/runtimes.md"],
  [{ STATOR_ENGINES: ENGINES, STATOR_OPEN: "true", STATOR_PROCESSES: "2" }, "docs/runtimes.md"],
  [
    {
      STATOR_OPEN: "true",
      STATOR_ENGINES: [{ url: "http://10.0.0.1:8000", "kv-events": { endpoint: "tcp://*:5557" } }],
    },
    "cannot follow KV events",
  ],
])("refuses %j", (env, message) => {
  expect(() => readWorkerdOptions(env)).toThrow(message);
});

it("ignores unrelated and empty bindings", () => {
  const env = { STATOR_ENGINES: ENGINES, STATOR_OPEN: "true", STATOR_KEYS: "", STATOR_CORS: null, OTHER: {} };
  expect(readWorkerdOptions(env).engines).toHaveLength(2);
  expect(new Set(WORKERD_OPTIONS).size).toBe(WORKERD_OPTIONS.length);
});
