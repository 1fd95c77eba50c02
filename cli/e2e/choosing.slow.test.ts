import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "./metrics.ts";
import { StatorProcess, startUp } from "./stator-process.ts";

/** Request preferences, and the gateway's record of decisions. */
const running: StatorProcess[] = [];
let folder: string;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "stator-test-"));
  const discovery = `--discovery=file:${folder}`;
  const run = (...args: string[]) => {
    const stator = new StatorProcess([...args, discovery, "--config=none"]);
    running.push(stator);
    return stator;
  };
  const flags = ["--policy=random", "--session-affinity=soft", "--session-from=user"];
  const gateway = run("gateway", "--port=0", ...flags);
  run("worker", "mocker", "--name=plain", "--speedup=0", "--block-size=16");
  run(
    "worker",
    "mocker",
    "--name=tagged",
    "--speedup=0",
    "--block-size=16",
    "--tag=zone=a",
    "--tag=gpu=h100,rack=1",
  );
  run("worker", "mocker", "--name=other", "--speedup=0", "--block-size=16", "--tag=zone=b,gpu=h100");
  const [, address] = await gateway.printed(/listening url=(\S+)/);
  url = address!;
  await until(async () => {
    const { models } = await (await fetch(`${url}/health`)).json();
    return models[0]?.workers.filter(({ status }: { status: string }) => status === "ready").length === 3;
  });
});

afterAll(async () => {
  await Promise.all(running.map((stator) => stator.stop()));
  rmSync(folder, { recursive: true });
});

async function send(body: object = {}, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-stator-explain": "true", ...headers },
    body: JSON.stringify({ model: "mocker", prompt: "Once upon a time", max_tokens: 1, ...body }),
  });
  return {
    status: response.status,
    worker: response.headers.get("x-stator-worker"),
    id: response.headers.get("x-request-id")!,
    body: await response.json(),
  };
}

/** The workers that answered ten requests like this one. */
async function workersOf(body: object, headers: Record<string, string> = {}): Promise<string[]> {
  const workers = new Set<string>();
  for (let count = 0; count < 10; count++) workers.add((await send(body, headers)).worker!);
  return [...workers].sort();
}

describe("tags", () => {
  test("select workers that have all of them, from the body or a header", async () => {
    expect(await workersOf({ stator: { tags: ["gpu=h100", "zone=a"] } })).toEqual(["tagged"]);
    expect(await workersOf({}, { "x-stator-tags": "zone=b, gpu=h100" })).toEqual(["other"]);
    expect(await workersOf({ stator: { tags: ["gpu=h100"] } })).not.toContain("plain");
  });

  test("that no worker has are refused with a list of existing ones", async () => {
    const { status, body } = await send({ stator: { tags: ["zone=a", "zone=b"] } });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: "unknown_tags", param: "stator.tags" });
    expect(body.error.message).toContain("gpu=h100, rack=1, zone=a, zone=b");
  });
});

describe("a session", () => {
  test("stays on one worker, under any policy", async () => {
    expect(await workersOf({ stator: { session: "one" } })).toHaveLength(1);
    expect(await workersOf({}, { "x-stator-session": "two" })).toHaveLength(1);
    expect(await workersOf({ user: "three" })).toHaveLength(1);
    const workers = new Set<string>();
    while (workers.size < 3) workers.add((await send()).worker!);
  });

  test("follows a request that names its worker", async () => {
    await send({ stator: { session: "moves", worker: "plain" } });
    expect(await workersOf({ stator: { session: "moves" } })).toEqual(["plain"]);
  });
});

describe("the field stator", () => {
  test.each([
    [{ sesion: "x" }, "unknown_parameter", "stator.sesion", "did you mean 'session'?"],
    [{ priority: 1.5 }, "invalid_type", "stator.priority", "expected an integer"],
    [{ priority: 1000 }, "invalid_value", "stator.priority", "at most 100"],
    [{ tags: ["zone"] }, "invalid_value", "stator.tags[0]", "key=value"],
    [{ worker: "taged" }, "unknown_worker", "stator.worker", "other, plain, tagged"],
    [{ deadline_ms: 0 }, "invalid_value", "stator.deadline_ms", "at least 1"],
  ])("%j is refused as %s", async (stator, code, param, message) => {
    const { status, body } = await send({ stator });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code, param });
    expect(body.error.message).toContain(message);
  });

  test("is overridden by the corresponding headers", async () => {
    expect((await send({ stator: { worker: "plain" } }, { "x-stator-worker": "other" })).worker).toBe(
      "other",
    );
    const refused = await send({}, { "x-stator-priority": "high" });
    expect(refused.body.error).toMatchObject({ param: "x-stator-priority", code: "invalid_type" });
  });

  test("is in the OpenAPI document", async () => {
    const document = await (await fetch(`${url}/openapi.json`)).json();
    const schema = document.paths["/v1/chat/completions"].post.requestBody.content["application/json"].schema;
    expect(JSON.stringify(schema.properties.stator)).toContain("deadline_ms");
    expect(document.paths["/v1/router/decisions"].get.parameters[1].name).toBe("limit");
    const ids = Object.values(document.paths as Record<string, Record<string, { operationId: string }>>)
      .flatMap((methods) => Object.values(methods))
      .map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("decisions", () => {
  test("show the choice, every candidate's terms, and the engine's cached tokens", async () => {
    const prompt = `The decision's own prompt, ${"which is long enough ".repeat(8)}`;
    const pin = { stator: { worker: "plain" } };
    await send({ prompt, ...pin });
    let decision: Record<string, unknown> = {};
    await until(async () => {
      const { id } = await send({ prompt, ...pin });
      const { data } = await (await fetch(`${url}/v1/router/decisions/${id}`)).json();
      expect(data).toHaveLength(1);
      decision = data[0];
      return decision.overlap_blocks !== 0;
    });
    const blocks = Math.floor((prompt.length - 1) / 16);
    expect(decision).toMatchObject({
      model: "mocker",
      policy: "random",
      outcome: "finished",
      worker: { name: "plain", rank: 0 },
      prompt_tokens: prompt.length,
      block_size: 16,
      predicted_cached_tokens: blocks * 16,
      reported_cached_tokens: blocks * 16,
      busy_workers: 0,
      candidates: [{ name: "plain", rank: 0, overlap_blocks: blocks, decode: 0 }],
    });
    expect(JSON.stringify(decision)).not.toContain("own prompt");
  });

  test("are listed newest first, by model and up to a limit", async () => {
    const ids: string[] = [];
    for (let count = 0; count < 3; count++) ids.unshift((await send({ n: 1 })).id);
    const list = async (query: string) => {
      const response = await fetch(`${url}/v1/router/decisions${query}`);
      return { status: response.status, ...(await response.json()) };
    };
    const { data } = await list("?model=mocker&limit=3");
    expect(data.map(({ request_id }: { request_id: string }) => request_id)).toEqual(ids);
    expect(data[0].candidates.map(({ name }: { name: string }) => name).sort()).toEqual([
      "other",
      "plain",
      "tagged",
    ]);
    expect((await list("?model=mokcer")).status).toBe(404);
    expect((await list("?limit=0")).error).toMatchObject({ param: "limit" });
    expect((await list("/no-such-request")).error.code).toBe("decision_not_found");
  });
});

test("a hard session is refused while its worker is busy, and answered there afterwards", async () => {
  const stator = startUp(
    "--engine=echo",
    "--workers=2",
    "--session-affinity=hard",
    "--busy-decode-blocks=0.5",
    "--context-length=512",
    "--sequences=1",
    "--delay=20",
  );
  const at = await stator.url();
  const post = (body: object, signal?: AbortSignal) =>
    fetch(`${at}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-stator-explain": "true" },
      body: JSON.stringify({ model: "echo", stator: { session: "s" }, ...body }),
      ...(signal && { signal }),
    });
  const controller = new AbortController();
  const long = await post({ prompt: "x".repeat(260), max_tokens: 250, stream: true }, controller.signal);
  const home = long.headers.get("x-stator-worker");
  const refused = await post({ prompt: "hi", max_tokens: 1 });
  expect(refused.status).toBe(503);
  expect((await refused.json()).error.code).toBe("server_busy");
  controller.abort();
  await until(async () => {
    const again = await post({ prompt: "hi", max_tokens: 1 });
    return again.status === 200 && again.headers.get("x-stator-worker") === home;
  });
  expect(await stator.stop()).toBe(0);
});
