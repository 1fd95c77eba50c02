import { describe, expect, test } from "vitest";
import { ask } from "../access/attached.ts";
import { poolsSuite } from "./pools-suite.ts";

// Prefill engines compute prompts for decode engines, which fetch the KV blocks. The stand-ins' text follows from the prompt
// that the blocks belong to.

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
