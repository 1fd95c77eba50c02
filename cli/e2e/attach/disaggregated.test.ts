import { describe, expect, test } from "vitest";
import { poolsSuite } from "./pools-suite.ts";

// Prefill engines compute prompts for decode engines, which fetch the KV blocks. The stand-ins' text follows from the prompt
// that the blocks belong to.

describe("sglang", () => {
  const pools = poolsSuite("sglang");

  test("a request that cannot be divided is refused", async () => {
    const response = await fetch(`${pools.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "Hello" }], n: 2 }),
    });
    expect([response.status, (await response.json()).error.code]).toEqual([400, "not_dividable"]);
  });

  test("an engine that reports another role than its operator's is listed with it", async () => {
    const { name } = pools.decode[0];
    const response = await fetch(`${pools.url}/admin/workers/${name}`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ role: "prefill" }),
    });
    expect((await response.json()).limitations).toContainEqual({
      code: "role",
      what: expect.stringContaining("it reports the role 'decode', but was attached as 'prefill'"),
      flag: "--disaggregation-mode prefill",
    });
  });

  test("the only prefill engine is not set aside for failed requests", async () => {
    const [other, only] = pools.prefill;
    await fetch(`${pools.url}/admin/workers/${other.name}?now=true`, { method: "DELETE" });
    await only.faults({ status: 500, share: 1 });
    const ask = async () => {
      const response = await fetch(`${pools.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "Hello" }] }),
      });
      await response.text();
      return response.status;
    };
    for (let count = 0; count < 8; count++) expect(await ask()).toBe(502);
    await only.faults({});
    expect(await ask()).toBe(200);
  });

  test("without a prefill engine, decode engines cannot answer, and all say so", async () => {
    for (const { name } of pools.prefill) {
      const response = await fetch(`${pools.url}/admin/workers/${name}?now=true`, { method: "DELETE" });
      expect(response.status).toBe(202);
    }
    const health = await fetch(`${pools.url}/health`);
    expect([health.status, (await health.json()).status]).toEqual([503, "starting"]);
    const response = await fetch(`${pools.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "Hello" }] }),
    });
    expect(response.status).toBe(503);
    expect((await response.json()).error).toMatchObject({
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
    const ask = async (path: string, body: object, reason: string) => {
      const response = await fetch(`${pools.url}/v1/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-stator-explain": "true" },
        body: JSON.stringify({ model: "tiny", max_tokens: 4, ...body }),
      });
      await response.text();
      expect([response.status, response.headers.get("x-stator-prefill-here")]).toEqual([200, reason]);
    };
    await ask("chat/completions", short, "short");
    expect(await pools.prefills("local", "short")).toBe(1);
    const prompt = "long ".repeat(700);
    for (const body of [
      { prompt, n: 2 },
      { prompt, best_of: 2 },
      { prompt, echo: true },
    ])
      await ask("completions", body, "unsuited");
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
    const change = async (name: string, role: string) => {
      const response = await fetch(`${pools.url}/admin/workers/${name}`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ role }),
      });
      return { status: response.status, body: await response.json() };
    };
    expect(await change(first.name, "decode")).toMatchObject({ status: 200, body: { role: "decode" } });
    expect(await change("nobody", "decode")).toMatchObject({ status: 404 });
    expect(await change(first.name, "encoder")).toMatchObject({ status: 400 });
    await pools.runAll();
    expect((await pools.askOne()).get("x-stator-prefill-worker")).toBe(second.name);
    await change(second.name, "aggregated");
    await pools.runAll();
    const before = await pools.prefills("remote");
    await pools.askOne(34);
    expect(await pools.prefills("remote")).toBe(before);
    await change(first.name, "prefill");
    await pools.askOne(35);
    await pools.expectSettled();
  });
});
