import { describe, expect, test } from "vitest";
import { ask } from "../access/attached.ts";
import { poolsSuite } from "./pools-suite.ts";

// Prefill engines compute prompts for decode engines, which fetch the KV blocks. The stand-ins' text follows from the prompt
// that the blocks belong to.

describe("sglang", () => {
  const pools = poolsSuite("sglang");

  test("a request that cannot be divided is refused", async () => {
    expect(await pools.chat({ n: 2 })).toMatchObject({
      status: 400,
      body: { error: { code: "not_dividable" } },
    });
  });

  test("an engine that reports another role than its operator's is listed with it", async () => {
    const { body } = await pools.changeRole(pools.decode[0].name, "prefill");
    expect(body.limitations).toContainEqual({
      code: "role",
      what: expect.stringContaining("it reports the role 'decode', but was attached as 'prefill'"),
      flag: "--disaggregation-mode prefill",
    });
  });

  test("the only prefill engine is not set aside for failed requests", async () => {
    const [other, only] = pools.prefill;
    await pools.detach(other);
    await only.faults({ status: 500, share: 1 });
    for (let count = 0; count < 8; count++) expect((await pools.chat()).status).toBe(502);
    await only.faults({});
    expect((await pools.chat()).status).toBe(200);
  });

  test("without a prefill engine, decode engines cannot answer, and all say so", async () => {
    for (const engine of pools.prefill) await pools.detach(engine);
    const health = await ask(`${pools.url}/health`);
    expect(health).toMatchObject({ status: 503, body: { status: "starting" } });
    const { status, body } = await pools.chat();
    expect(status).toBe(503);
    expect(body.error).toMatchObject({
      code: "no_worker_ready",
      message: expect.stringContaining("The model 'tiny' has no prefill worker"),
    });
  });
});

describe("vllm", () => {
  const pools = poolsSuite("vllm");

  test("decode engines compute short prompts themselves, and what cannot be divided", async () => {
    const before = await pools.kv();
    const short = { messages: [{ role: "user", content: "Hello" }] };
    const isLocal = async (path: string, body: object, reason: string) => {
      const json = { model: "tiny", max_tokens: 4, ...body };
      const explained = { "x-stator-explain": "true" };
      const { status, headers } = await ask(`${pools.url}/v1/${path}`, { json, headers: explained });
      expect([status, headers.get("x-stator-prefill-here")]).toEqual([200, reason]);
    };
    await isLocal("chat/completions", short, "short");
    expect(await pools.prefills("local", "short")).toBe(1);
    const prompt = "long ".repeat(700);
    for (const body of [
      { prompt, n: 2 },
      { prompt, best_of: 2 },
      { prompt, echo: true },
    ])
      await isLocal("completions", body, "unsuited");
    expect(await pools.prefills("local", "unsuited")).toBe(3);
    expect(await pools.kv()).toEqual(before);
  });

  test("the answer and its decisions tell that the prefill engine has failed", async () => {
    for (const engine of pools.prefill) await engine.faults({ status: 500, share: 1 });
    const headers = await pools.askOne(36, {}, { "x-request-id": "failing" });
    for (const engine of pools.prefill) await engine.faults({});
    expect(headers.get("x-stator-prefill-here")).toBe("failed");
    expect(headers.get("x-stator-prefill-worker")).toBeNull();
    const { data } = await (await fetch(`${pools.url}/v1/router/decisions/failing`)).json();
    const names = data[0].prefill_candidates.map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(pools.prefill.map(({ name }) => name).sort());
    expect(data[0]).toMatchObject({ prefill_here: "failed" });
  });

  test("roles can be changed while it runs", async () => {
    const [first, second] = pools.prefill;
    expect(await pools.changeRole(first.name, "decode")).toMatchObject({
      status: 200,
      body: { role: "decode" },
    });
    expect(await pools.changeRole("nobody", "decode")).toMatchObject({ status: 404 });
    expect(await pools.changeRole(first.name, "encoder")).toMatchObject({ status: 400 });
    await pools.runAll();
    expect((await pools.askOne()).get("x-stator-prefill-worker")).toBe(second.name);
    await pools.changeRole(second.name, "aggregated");
    await pools.runAll();
    const before = await pools.prefills("remote");
    await pools.askOne(34);
    expect(await pools.prefills("remote")).toBe(before);
    await pools.changeRole(first.name, "prefill");
    await pools.askOne(35);
    await pools.expectSettled();
  });
});
