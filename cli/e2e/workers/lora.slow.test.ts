import OpenAI from "openai";
import { beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { type Engine, loadWorker } from "#workers";
import { readKeyFile } from "../../../gateway/access/key-file.ts";
import { formatHash, hashKey, newKey, newSalt } from "../../../gateway/access/key-hash.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

const log = createLogger({ name: "test", level: "error" });

async function mocker(loras: readonly string[], more: object = {}): Promise<Engine> {
  const { open } = await loadWorker("mocker");
  const options = { blockSize: 16, speedup: 0, loras: loras.map((name) => [name, "-"] as const), ...more };
  return open({ log, threads: 1, options });
}

const PROMPT = `${"A prompt of several blocks. ".repeat(12)}Hm.`;
const EXPLAIN = { headers: { "x-stator-explain": "true" } };

/** One answer, and what its headers and usage say. */
async function complete(client: OpenAI, model: string, prompt = PROMPT, more: object = {}) {
  const { data, response } = await client.completions
    .create({ model, prompt, max_tokens: 20, ...more }, EXPLAIN)
    .withResponse();
  return {
    model: data.model,
    text: data.choices[0]!.text,
    cached: data.usage!.prompt_tokens_details!.cached_tokens!,
    worker: response.headers.get("x-stator-worker"),
    overlap: Number(response.headers.get("x-stator-overlap-blocks")),
  };
}

const clientOf = ({ url }: OwnGateway) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });

describe("a model whose workers have different LoRA adapters", () => {
  let gateway: OwnGateway;
  let client: OpenAI;

  beforeAll(async () => {
    const engines = { plain: await mocker([]), able: await mocker(["sql"]) };
    gateway = await startOwnGateway(engines, { health: { slowStartMs: 0 }, policy: "round-robin" });
    client = clientOf(gateway);
  });

  test("lists them after the model", async () => {
    const { data } = await client.models.list();
    expect(data).toMatchObject([
      { id: "mocker", parent: null },
      { id: "sql", root: "sql", parent: "mocker" },
    ]);
    expect(await client.models.retrieve("sql")).toMatchObject({ id: "sql", parent: "mocker" });
  });

  test("answers with an adapter where it is, under the adapter's name", async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => complete(client, "sql")));
    expect(new Set(answers.map(({ worker }) => worker))).toEqual(new Set(["able"]));
    expect(new Set(answers.map(({ model }) => model))).toEqual(new Set(["sql"]));
    const plain = await complete(client, "mocker");
    expect(plain.model).toBe("mocker");
    expect(plain.text).not.toBe(answers[0]!.text);
  });

  test("accepts an adapter's name in every API", async () => {
    const messages = [{ role: "user" as const, content: "Hi" }];
    const chat = { model: "sql", messages, max_tokens: 4 };
    expect((await client.chat.completions.create(chat)).model).toBe("sql");
    for await (const chunk of await client.chat.completions.create({ ...chat, stream: true }))
      expect(chunk.model).toBe("sql");
    expect((await client.responses.create({ model: "sql", input: "Hi" })).model).toBe("sql");
    const answered = async (path: string, body: object) => {
      const response = await gateway.post(path, { model: "sql", ...body });
      return { status: response.status, body: await response.json() };
    };
    expect(await answered("/v1/messages", { messages, max_tokens: 4 })).toMatchObject({
      status: 200,
      body: { model: "sql" },
    });
    expect(await answered("/v1/messages/count_tokens", { messages })).toMatchObject({ status: 200 });
    expect(await answered("/v1/tokenize", { prompt: "Hi" })).toMatchObject({ status: 200 });
    expect(await answered("/v1/embeddings", { input: "Hi" })).toMatchObject({
      status: 400,
      body: { error: { code: "unsupported_model" } },
    });
  });
});

test("requests for an adapter find its own cache, not the model's", async () => {
  const engines = { one: await mocker(["sql"]), two: await mocker(["sql"]) };
  const gateway = await startOwnGateway(engines, { health: { slowStartMs: 0 } });
  const client = clientOf(gateway);
  const known = (model: string, more: object = {}) =>
    expect.poll(async () => (await complete(client, model, PROMPT, more)).overlap).toBeGreaterThan(0);
  expect((await complete(client, "mocker")).cached).toBe(0);
  await known("mocker");
  const first = await complete(client, "sql");
  expect([first.cached, first.overlap]).toEqual([0, 0]);
  await known("sql");
  const second = await complete(client, "sql");
  expect(second.worker).toBe(first.worker);
  expect(second.cached).toBe(second.overlap * 16);
  expect(second.text).toBe(first.text);
  // Tenants have caches of their own there too.
  const salted = { cache_salt: "tenant" };
  expect(await complete(client, "sql", PROMPT, salted)).toMatchObject({ cached: 0, overlap: 0 });
  await known("sql", salted);
  const third = await complete(client, "sql", PROMPT, salted);
  expect(third.cached).toBe(third.overlap * 16);
});

test("an answer whose worker is lost goes on with the same adapter", async () => {
  const slow = { speedup: 1 };
  const engines = {
    one: await mocker(["sql"], slow),
    plain: await mocker([], slow),
    two: await mocker(["sql"], slow),
  };
  const gateway = await startOwnGateway(engines, { health: { slowStartMs: 0 } });
  const client = clientOf(gateway);
  const whole = (await complete(client, "sql")).text;
  const { data: stream, response } = await client.completions
    .create({ model: "sql", prompt: PROMPT, max_tokens: 200, stream: true }, EXPLAIN)
    .withResponse();
  let text = "";
  for await (const chunk of stream) {
    if (text === "") void gateway.kill(response.headers.get("x-stator-worker")!);
    expect(chunk.model).toBe("sql");
    text += chunk.choices[0]?.text ?? "";
  }
  expect(text).toHaveLength(200);
  expect(text.startsWith(whole)).toBe(true);
  const { data } = await (await fetch(`${gateway.url}/v1/router/decisions?limit=2`)).json();
  const names = data.map(({ worker }: { worker: { name: string } }) => worker.name);
  expect(names.sort()).toEqual(["one", "two"]);
});

test("an adapter whose only worker has just left may be back soon", async () => {
  const engines = { plain: await mocker([]), able: await mocker(["sql"]) };
  const gateway = await startOwnGateway(engines, { health: { slowStartMs: 0 } });
  const client = clientOf(gateway);
  expect((await complete(client, "sql")).worker).toBe("able");
  await gateway.kill("able");
  await expect(complete(client, "sql")).rejects.toMatchObject({ status: 503, code: "no_worker_ready" });
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["mocker"]);
  await expect(client.models.retrieve("sql")).rejects.toMatchObject({ status: 404 });
  expect((await complete(client, "mocker")).worker).toBe("plain");
  await expect(complete(client, "none")).rejects.toMatchObject({ status: 404 });
});

test("only prefill workers with the adapter compute prompts for it", async () => {
  const engines = { bare: await mocker([]), able: await mocker(["sql"]), decode: await mocker(["sql"]) };
  const roles = { bare: { role: "prefill" }, able: { role: "prefill" }, decode: { role: "decode" } } as const;
  const gateway = await startOwnGateway(engines, { health: { slowStartMs: 0 } }, roles);
  const client = clientOf(gateway);
  for (let round = 0; round < 6; round++) {
    const answer = await complete(client, "sql", `${round} ${"word ".repeat(1000)}`);
    expect(answer).toMatchObject({ model: "sql", worker: "decode" });
  }
  const { data } = await (await fetch(`${gateway.url}/v1/router/decisions?limit=6`)).json();
  const prefills = data.map(
    (decision: { prefill_worker: { name: string } }) => decision.prefill_worker?.name,
  );
  expect(prefills).toContain("able");
  expect(prefills).not.toContain("bare");
});

test("keys with a scope use and see adapters by their own names", async () => {
  const made = { model: newKey(), adapter: newKey(), admin: newKey() };
  const hash = async (key: string) => formatHash(await hashKey(key, newSalt()));
  const keys = readKeyFile({
    keys: [
      { id: "model", hash: await hash(made.model), models: ["mocker"] },
      { id: "adapter", hash: await hash(made.adapter), models: ["sql"] },
      { id: "admin", hash: await hash(made.admin), admin: true },
    ],
  });
  const engines = { one: await mocker(["sql"]) };
  const own = { one: { loraUpdates: true } };
  const options = { health: { slowStartMs: 0 }, access: { keys } };
  const gateway = await startOwnGateway(engines, options, own);
  const asked = async (key: string) => {
    const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: key, maxRetries: 0 });
    const status = (model: string) =>
      complete(client, model).then(
        () => 200,
        (error: { status: number }) => error.status,
      );
    const listed = (await client.models.list()).data.map(({ id }) => id);
    return { listed, mocker: await status("mocker"), sql: await status("sql") };
  };
  expect(await asked(made.model)).toEqual({ listed: ["mocker"], mocker: 200, sql: 403 });
  expect(await asked(made.adapter)).toEqual({ listed: ["sql"], mocker: 403, sql: 200 });
  const unload = async (key: string) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify({ lora_name: "sql" }) };
    return (await fetch(`${gateway.url}/v1/unload_lora_adapter`, init)).status;
  };
  expect(await unload(made.adapter)).toBe(403);
  expect(await unload(made.admin)).toBe(200);
});

describe("adapters that change while the workers run", () => {
  const sql = { lora_name: "sql", lora_path: "/adapters/sql.gguf" };
  const post = async (gateway: OwnGateway, path: string, body: object) => {
    const response = await gateway.post(path, body);
    const text = await response.text();
    return { status: response.status, text };
  };

  test("are known at once, and what the workers have cached stays known", async () => {
    const engines = { one: await mocker([]), two: await mocker([]) };
    const own = { one: { loraUpdates: true }, two: { loraUpdates: true } };
    const gateway = await startOwnGateway(engines, { health: { slowStartMs: 0 } }, own);
    const client = clientOf(gateway);
    const before = await complete(client, "mocker");
    await expect.poll(async () => (await complete(client, "mocker")).overlap).toBeGreaterThan(0);
    expect(await post(gateway, "/v1/load_lora_adapter", sql)).toEqual({
      status: 200,
      text: "Success: LoRA adapter 'sql' added successfully.",
    });
    expect((await complete(client, "sql")).model).toBe("sql");
    const after = await complete(client, "mocker");
    expect(after).toMatchObject({ worker: before.worker, text: before.text });
    expect(after.overlap).toBeGreaterThan(0);
    expect((await post(gateway, "/v1/load_lora_adapter", sql)).status).toBe(400);
    expect((await post(gateway, "/v1/unload_lora_adapter", { lora_name: "sql" })).status).toBe(200);
    await expect(complete(client, "sql")).rejects.toMatchObject({ status: 404 });
  });

  test("are reported with the workers that refuse them", async () => {
    const engines = { able: await mocker([]), fixed: await mocker([]) };
    const gateway = await startOwnGateway(
      engines,
      { health: { slowStartMs: 0 } },
      { able: { loraUpdates: true } },
    );
    const partly = await post(gateway, "/v1/load_lora_adapter", sql);
    expect(partly.status).toBe(502);
    expect(partly.text).toContain("loaded by able, but not by others: fixed:");
    expect(partly.text).toContain("--lora-updates");
    const client = clientOf(gateway);
    for (let round = 0; round < 4; round++) expect((await complete(client, "sql")).worker).toBe("able");
  });
});
