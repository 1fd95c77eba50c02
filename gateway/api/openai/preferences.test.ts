import { Hono } from "hono";
import { expect, it } from "vitest";
import type { ApiKey } from "../../access/api-key.ts";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import { RecentlyLeft } from "../../routing/recently-left.ts";
import { testModel } from "../../routing/test-model.ts";
import { readPreferences } from "./preferences.ts";

const { add, router } = testModel();
const left = new RecentlyLeft();
add("plain");
add("tagged", { tags: ["zone=a", "gpu=h100"] });
const gone = add("gone", { tags: ["zone=b"] });
router.removeWorker(gone);
left.add(gone.instance, performance.now());
const allMembers = () => router.workers.all();
const model = { allMembers, left, card: gone.instance.card } as unknown as WorkerSide;

/** The preferences, or the error, of a request with these headers and this `stator` field. */
async function read(headers: Record<string, string>, stator: object = {}, key?: ApiKey) {
  let result: unknown;
  const app = new Hono<GatewayEnv>();
  app.get("/", (context) => {
    context.set("key", key);
    try {
      result = readPreferences(context, { stator }, model, { session: "none", tenant: "none" }, 1000);
    } catch (error) {
      result = error;
    }
    return context.body(null);
  });
  await app.request("/", { headers });
  if (result instanceof ApiError)
    return { status: result.status, headers: result.headers, ...result.toJSON().error };
  return result;
}

it.each([
  [{ worker: "gone" }, "the worker 'gone', which it names"],
  [{ tags: ["zone=b"] }, "workers with the tags it names: zone=b"],
])("%j, known a moment ago, is a retryable 503", async (stator, message) => {
  const error = await read({}, stator);
  expect(error).toMatchObject({ status: 503, code: "no_worker_ready", headers: { "retry-after": "2" } });
  expect(error).toMatchObject({ message: expect.stringContaining(message) });
});

it.each([
  [{ worker: "never" }, "unknown_worker", "takes one of: plain, tagged"],
  [{ tags: ["zone=c"] }, "unknown_tags", "gpu=h100, zone=a"],
  [{ worker: "plain", tags: ["zone=a"] }, "unknown_tags", "'plain' does not have all of the tags zone=a"],
])("%j, which never matched a worker, is a 400", async (stator, code, message) => {
  expect(await read({}, stator)).toMatchObject({
    status: 400,
    code,
    message: expect.stringContaining(message),
  });
});

it.each([
  [{ "x-stator-worker": "never" }, "x-stator-worker", "'x-stator-worker' takes one of: plain, tagged"],
  [{ "x-stator-tags": "zone=c" }, "x-stator-tags", "no worker of this model has the tags zone=c"],
  [{ "x-stator-tags": "zone" }, "x-stator-tags", "key=value"],
  [{ "x-stator-tags": "" }, "x-stator-tags", "key=value"],
  [{ "x-stator-worker": "" }, "x-stator-worker", "at least 1 character"],
  [{ "x-stator-priority": "101" }, "x-stator-priority", "must be at most 100"],
  [{ "x-stator-resumable": "maybe" }, "x-stator-resumable", "expected 'true' or 'false', but got 'maybe'"],
  [{ "x-stator-resumable": "" }, "x-stator-resumable", "but got nothing"],
  [{ "x-stator-prority": "1" }, "x-stator-prority", "did you mean 'x-stator-priority'?"],
  [{ "x-stator-qqqqqqqq": "1" }, "x-stator-qqqqqqqq", "are x-stator-worker, x-stator-tags"],
])("the headers %j are rejected by name", async (headers, param, message) => {
  expect(await read(headers)).toMatchObject({
    status: 400,
    param,
    message: expect.stringContaining(message),
  });
});

it.each(["abc", "", "0x10", "1e1", "1.5", "+1", "--1"])(
  "the number '%s' in a header is rejected",
  async (text) => {
    for (const header of ["x-stator-priority", "x-stator-deadline-ms"]) {
      const message = expect.stringContaining(`'${header}': expected an integer`);
      expect(await read({ [header]: text })).toMatchObject({ status: 400, param: header, message });
    }
  },
);

it("reads valid headers, and ignores a trailing comma", async () => {
  const headers = {
    "x-stator-priority": "-5",
    "x-stator-deadline-ms": "500",
    "x-stator-tags": "zone=a, gpu=h100,",
  };
  expect(
    await read({ ...headers, "x-stator-explain": "true", "x-stator-resumable": "False" }, { priority: 3 }),
  ).toMatchObject({
    priority: -5,
    deadlineAt: 1500,
    tags: ["gpu=h100", "zone=a"],
  });
});

const keyOf = (isAdmin: boolean): ApiKey => ({
  id: "team",
  hashes: [],
  models: undefined,
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
  expiresAt: undefined,
  group: undefined,
  isAdmin,
});

it("uses the key's id as the tenant whatever the request says, except with an admin key", async () => {
  expect(await read({}, {}, keyOf(false))).toMatchObject({ tenant: "team" });
  expect(await read({}, { tenant: "other" }, keyOf(false))).toMatchObject({ tenant: "team" });
  expect(await read({ "x-stator-tenant": "other" }, {}, keyOf(false))).toMatchObject({ tenant: "team" });
  expect(await read({}, { tenant: "other" }, keyOf(true))).toMatchObject({ tenant: "other" });
  expect(await read({}, {}, keyOf(true))).toMatchObject({ tenant: "team" });
});
