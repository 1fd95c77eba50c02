import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stall } from "../../scripts/testing/stall.ts";
import { metric, until } from "./metrics.ts";
import { StatorProcess } from "./stator-process.ts";

/** Overload: rejections and the queue, with one worker that works only when released. */
async function start(...flags: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "stator-test-"));
  const stator = new StatorProcess(
    [
      "up",
      "--port=0",
      "--config=none",
      "--engine=cli/e2e/workers/gated.ts",
      "--workers=1",
      "--max-batched-tokens=100",
      "--drain-timeout=0",
      ...flags,
    ],
    { GATE_FOLDER: folder },
  );
  const url = await stator.url();
  let opened = 0;
  return {
    url,
    stator,
    async [Symbol.asyncDispose]() {
      await stator.stop();
      rmSync(folder, { recursive: true });
    },
    /** Releases this many more requests at the worker, present or future. */
    open(count: number) {
      for (; count > 0; count--) writeFileSync(join(folder, String(++opened)), "");
    },
    /** Names of the dispatched requests, in order. */
    async served(): Promise<string[]> {
      const { data } = await (await fetch(`${url}/v1/router/decisions`)).json();
      const decided = data.filter(({ worker }: { worker: object | null }) => worker !== null);
      return decided.map(({ request_id }: { request_id: string }) => request_id).reverse();
    },
    /** Sends a prompt of 100 tokens. */
    send(name: string, stator: object = {}, init: RequestInit = {}) {
      return fetch(`${url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-request-id": name },
        body: JSON.stringify({ model: "gated", prompt: name.padEnd(100, "."), max_tokens: 1, stator }),
        ...init,
      });
    },
    waiting: (count: number) =>
      until(async () => (await metric(url, "stator_router_queue_pending_requests")) === count),
    working: () => until(async () => (await metric(url, "stator_worker_active_requests")) === 1),
  };
}

async function errorOf(response: Response) {
  const { error }: { error: { code: string; message: string } } = await response.json();
  return { status: response.status, retryAfter: Number(response.headers.get("retry-after")), ...error };
}

describe("busy thresholds", () => {
  test.each(["--busy-prefill-tokens=100", "--busy-prefill-tokens=100%", "--busy-decode-blocks=0.01"])(
    "%s refuses with 503 and retry-after what would wait for a busy worker",
    async (flag) => {
      await using gateway = await start(flag, "--context-length=256", "--sequences=2");
      const { url, open, send, working } = gateway;
      const first = send("first");
      await working();
      const refused = await errorOf(await send("second"));
      expect(refused).toMatchObject({ status: 503, code: "server_busy" });
      expect(refused.message).toContain("busy");
      expect(refused.retryAfter).toBeGreaterThanOrEqual(1);
      open(2);
      expect((await first).status).toBe(200);
      expect((await send("third")).status).toBe(200);
      expect(await metric(url, "stator_router_refusals_total", { reason: "busy" })).toBe(1);
    },
  );

  test("can be read and changed at run time", async () => {
    await using gateway = await start();
    const { url, open, send, working } = gateway;
    const thresholds = async (body?: object) => {
      const response = await fetch(`${url}/v1/router/thresholds`, {
        ...(body && {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      });
      return { status: response.status, body: await response.json() };
    };
    const none = { busy_decode_blocks: null, busy_prefill_tokens: null, queue_threshold: null };
    expect((await thresholds()).body.data).toEqual([{ model: "gated", ...none }]);
    const first = send("first");
    await working();
    const changed = await thresholds({ model: "gated", busy_prefill_tokens: "50%" });
    expect(changed.body.data).toEqual([{ model: "gated", ...none, busy_prefill_tokens: "50%" }]);
    expect((await send("second")).status).toBe(503);
    await thresholds({ busy_prefill_tokens: null });
    open(2);
    expect([(await send("third")).status, (await first).status]).toEqual([200, 200]);
    expect((await thresholds({ busy_decode: 1 })).body.error.message).toContain("busy_decode");
    expect((await thresholds({ model: "gatet", queue_threshold: 1 })).status).toBe(404);
    expect((await thresholds({ busy_prefill_tokens: "many" })).status).toBe(400);
  });
});

describe("the queue", () => {
  let gateway: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    gateway = await start("--queue-threshold=1");
  });
  afterAll(() => gateway[Symbol.asyncDispose]());

  test("serves by priority, then tenants in turn, then order of arrival", async () => {
    const { url, open, send, waiting, working, served } = gateway;
    const answers = [send("first")];
    await working();
    const asked: [string, object][] = [
      ["a1", { tenant: "a" }],
      ["a2", { tenant: "a" }],
      ["b1", { tenant: "b" }],
      ["urgent", { priority: 10 }],
    ];
    for (const [index, [name, fields]] of asked.entries()) {
      answers.push(send(name, fields));
      await waiting(index + 1);
    }
    open(5);
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 200, 200, 200]);
    expect((await served()).slice(-5)).toEqual(["first", "urgent", "a1", "b1", "a2"]);
    expect(await metric(url, "stator_router_queue_wait_seconds_count")).toBe(4);
    const decision = await (await fetch(`${url}/v1/router/decisions/a2`)).json();
    expect(decision.data[0].queue_wait_ms).toBeGreaterThan(0);
  });

  test("drops a request at once when its client disconnects", async () => {
    const { url, open, send, waiting, working, served } = gateway;
    // A new prompt, none of which is in the worker's cache.
    const first = send("holds");
    await working();
    const controller = new AbortController();
    const leaves = send("leaves", {}, { signal: controller.signal }).catch((error: Error) => error.name);
    await waiting(1);
    const stays = send("stays");
    await waiting(2);
    controller.abort();
    expect(await leaves).toBe("AbortError");
    await waiting(1);
    open(2);
    expect([(await first).status, (await stays).status]).toEqual([200, 200]);
    expect((await served()).slice(-2)).toEqual(["holds", "stays"]);
    expect(await metric(url, "stator_worker_active_requests")).toBe(0);
  });

  test("enforces a request's deadline also while it is being answered", async () => {
    const { send, stator } = gateway;
    expect(await errorOf(await send("slow", { deadline_ms: 200 }))).toMatchObject({
      status: 504,
      code: "deadline_exceeded",
    });
    await stator.printed(/request failed request=slow status=504 code=deadline_exceeded/);
    expect(stator.stderr).not.toContain("worker failed");
  });
});

test("the queue is bounded, in length and in time", async () => {
  // Long enough for the steps before they expire.
  const seconds = 1.5 * stall();
  await using gateway = await start("--queue-threshold=1", "--queue-limit=2", `--queue-timeout=${seconds}`);
  const { open, send, waiting, working } = gateway;
  const first = send("first");
  await working();
  const second = send("second");
  await waiting(1);
  const third = send("third", { deadline_ms: Math.round(800 * seconds) });
  await waiting(2);
  expect(await errorOf(await send("fourth"))).toMatchObject({ status: 503, code: "queue_full" });
  expect(await errorOf(await third)).toMatchObject({ status: 504, code: "deadline_exceeded" });
  expect(await errorOf(await second)).toMatchObject({ status: 503, code: "queue_timeout" });
  await waiting(0);
  open(1);
  expect((await first).status).toBe(200);
});
