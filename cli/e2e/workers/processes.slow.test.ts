import { afterAll, beforeAll, expect, test } from "vitest";
import { startVllm } from "#stand-ins";
import { ask } from "../access/attached.ts";
import { until } from "../metrics.ts";
import { family, workerPid } from "../process-family.ts";
import { type StatorProcess, startUp } from "../stator-process.ts";

// Workers behind a gateway of several processes.

let stator: StatorProcess;
let url: string;

beforeAll(async () => {
  stator = startUp("--engine=mocker", "--speedup=0", "--processes=2", "--slow-start=0");
  url = await stator.url();
});

afterAll(async () => {
  expect(await stator.stop()).toBe(0);
});

/** Uses a new connection, which the system assigns to one of the processes. */
const complete = (more: object = {}) =>
  ask(`${url}/v1/completions`, {
    json: { model: "default", prompt: "Once", max_tokens: 8, ...more },
    headers: { connection: "close", "x-stator-explain": "true" },
  });

test("every process answers from the first request on, and all know the workers' caches", async () => {
  // Supervisor, gateway, two processes that serve the port, two workers.
  expect(family(stator.pid)).toHaveLength(6);
  const prompt = "A long beginning that all of these requests have in common. ".repeat(40);
  const first = await complete({ prompt });
  expect(first.status).toBe(200);
  const blocks = Number(first.headers.get("x-stator-prompt-blocks"));
  const worker = first.headers.get("x-stator-worker");
  expect(blocks).toBeGreaterThan(20);
  await until(
    async () => Number((await complete({ prompt })).headers.get("x-stator-overlap-blocks")) >= blocks,
  );
  for (let index = 0; index < 20; index++) {
    const { status, headers } = await complete({ prompt: `${prompt}${index}` });
    expect([status, headers.get("x-stator-worker")]).toEqual([200, worker]);
    expect(Number(headers.get("x-stator-overlap-blocks"))).toBeGreaterThanOrEqual(blocks);
  }
  const { body } = await ask(`${url}/v1/models`);
  expect(body).toMatchObject({ data: [{ aliases: expect.arrayContaining(["default"]) }] });
});

test("invalid requests are refused as by a single process", async () => {
  expect((await complete({ model: "none" })).body.error).toMatchObject({ code: "model_not_found" });
  expect((await complete({ max_tokens: "many" })).body.error).toMatchObject({ param: "max_tokens" });
  const answer = await ask(`${url}/v1/embeddings`, { json: { model: "default", input: "Hi" } });
  expect(answer.body.error?.code).toBe("unsupported_model");
});

test("an engine with the workers' model shares its requests", async () => {
  const { body: models } = await ask(`${url}/v1/models`);
  const model = String(models.data?.[0]?.id);
  const engine = await startVllm({ model });
  await ask(`${url}/admin/workers`, { json: { url: engine.url, name: "engine" } });
  const seen = new Set<string | null>();
  for (let n = 0; seen.size < 3; n++) {
    const prompt = `${n}, the first word of another long conversation. `.repeat(40);
    seen.add((await complete({ model, prompt })).headers.get("x-stator-worker"));
    await until(
      async () => Number((await complete({ model, prompt })).headers.get("x-stator-overlap-blocks")) > 0,
    );
  }
  expect([...seen].sort()).toEqual(["engine", "mocker-0", "mocker-1"]);
  await fetch(`${url}/admin/workers/engine`, { method: "DELETE" });
  await engine.close();
});

test("no request is lost while a worker is killed and comes back", async () => {
  let isBack = false;
  const all: Promise<string>[] = [];
  process.kill(workerPid(stator, "mocker-0"), "SIGKILL");
  const back = stator.printed(/restarting it child=mocker-0 reason=SIGKILL/).then(async () => {
    await until(async () => {
      const { body } = await ask(`${url}/health`);
      return JSON.stringify(body).match(/"ready"/g)!.length === 4;
    });
    isBack = true;
  });
  while (!isBack) {
    all.push(complete({ max_tokens: 40 }).then(({ status, body }) => `${status} ${body.error?.code ?? ""}`));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await back;
  expect(new Set(await Promise.all(all))).toEqual(new Set(["200 "]));
});

test("when the process that routes is killed, answers in progress are completed, and the address stays", async () => {
  const echo = startUp("--engine=echo", "--delay=20", "--processes=2");
  const address = await echo.url();
  const response = await fetch(`${address}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "default", prompt: "again", max_tokens: 120, stream: true }),
  });
  const router = family(echo.pid).find(({ command }) => command.includes(" gateway "))!;
  process.kill(router.pid, "SIGKILL");
  const text = await response.text();
  expect(text.match(/"text"/g)?.length).toBeGreaterThanOrEqual(120);
  expect(text).toMatch(/data: \[DONE\]\n\n$/);
  await echo.printed(/restarting it child=gateway reason=SIGKILL/);
  await until(() =>
    fetch(`${address}/live`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  expect(await echo.stop()).toBe(0);
  expect(echo.stderr).not.toContain("uncaught");
});
