import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { type Asked, areReady, ask, attach, cachedTokens, eventually, freshText } from "./setup.ts";
import { BLOCK_SIZE, MODEL, VllmServer, writeTinyLora, writeTinyModel } from "./vllm-server.ts";

// LoRA adapters of two real vLLMs, one of which does not load them while it runs.

let servers: [updated: VllmServer, fixed: VllmServer];
let adapters: { one: string; two: string };

beforeAll(async () => {
  const folder = temporaryFolder();
  const model = join(folder, "model");
  writeTinyModel(model);
  adapters = { one: join(folder, "one"), two: join(folder, "two") };
  writeTinyLora(model, adapters.one, 1);
  writeTinyLora(model, adapters.two, 2);
  servers = await Promise.all([
    VllmServer.start(model, { loras: "updated" }),
    VllmServer.start(model, { loras: "fixed" }),
  ]);
});

afterAll(() => Promise.all((servers ?? []).map((server) => server.stop())));

const LOAD = "/v1/load_lora_adapter";
const UNLOAD = "/v1/unload_lora_adapter";

async function post(url: string, path: string, body: object) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

const complete = (url: string, model: string, prompt: string) =>
  ask(url, "/v1/completions", { model, prompt, max_tokens: 12, temperature: 0, ignore_eos: true });

const textOf = ({ json }: Asked) => (json.choices as { text: string }[])[0]!.text;

async function listed(url: string): Promise<unknown[]> {
  const { data } = await (await fetch(`${url}/v1/models`)).json();
  return data.map(({ id, parent }: { id: string; parent: string | null }) => ({ id, parent }));
}

describe("LoRA adapters of attached vLLMs", () => {
  test("are loaded, listed, used with a cache of their own, and unloaded", async () => {
    const [server] = servers;
    const { stator, url } = await attach([server.url]);
    await areReady(url, 1);
    expect(await post(url, LOAD, { lora_name: "one", lora_path: adapters.one })).toEqual({
      status: 200,
      text: "Success: LoRA adapter 'one' added successfully.",
    });
    expect(await listed(url)).toEqual([
      { id: MODEL, parent: null },
      { id: "one", parent: MODEL },
    ]);
    const prompt = freshText(600);
    const plain = await complete(url, MODEL, prompt);
    const first = await complete(url, "one", prompt);
    expect(first).toMatchObject({ status: 200, overlapTokens: 0, json: { model: "one" } });
    expect(cachedTokens(first)).toBe(0);
    expect(textOf(first)).not.toBe(textOf(plain));
    const again = await eventually(async () => {
      const asked = await complete(url, "one", prompt);
      return asked.overlapTokens > 0 ? asked : undefined;
    }, "the adapter's blocks are known");
    expect(textOf(again)).toBe(textOf(first));
    expect(again.overlapTokens).toBeGreaterThan(10 * BLOCK_SIZE);
    expect([0, BLOCK_SIZE]).toContain(again.overlapTokens - cachedTokens(again)!);

    const twice = await post(url, LOAD, { lora_name: "one", lora_path: adapters.one });
    expect([twice.status, twice.text.includes("already been loaded")]).toEqual([400, true]);
    const missing = await post(url, LOAD, { lora_name: "none", lora_path: join(adapters.one, "none") });
    expect([missing.status, missing.text.includes("none")]).toEqual([404, true]);
    const replaced = { lora_name: "one", lora_path: adapters.two, load_inplace: true };
    expect((await post(url, LOAD, replaced)).status).toBe(200);
    const other = freshText(100);
    expect(textOf(await complete(url, "one", other))).not.toBe(textOf(await complete(url, MODEL, other)));

    expect(await post(url, UNLOAD, { lora_name: "one" })).toEqual({
      status: 200,
      text: "Success: LoRA adapter 'one' removed successfully.",
    });
    expect(await listed(url)).toEqual([{ id: MODEL, parent: null }]);
    expect((await complete(url, "one", prompt)).status).toBe(404);
    expect((await post(url, UNLOAD, { lora_name: "one" })).status).toBe(404);
    await stator.stop();
  });

  test("that one engine refuses are routed to the other one, whatever is cached where", async () => {
    const [updated, fixed] = servers;
    const { stator, url } = await attach([updated.url, fixed.url]);
    await areReady(url, 2);
    const partly = await post(url, LOAD, { lora_name: "one", lora_path: adapters.one });
    expect(partly.status).toBe(502);
    expect(partly.text).toContain("VLLM_ALLOW_RUNTIME_LORA_UPDATING=1");
    const name = new URL(updated.url).host;
    for (let round = 0; round < 6; round++)
      expect(await complete(url, "one", freshText(50))).toMatchObject({ status: 200, engine: name });
    expect((await post(url, UNLOAD, { lora_name: "one" })).status).toBe(200);
    await stator.stop();
  });

  test("that all engines are to have come back with an engine that restarts", async () => {
    const [updated, fixed] = servers;
    const { stator, url } = await attach([updated.url, fixed.url], `--lora=one=${adapters.one}`);
    await stator.printed(/cannot load a LoRA adapter into an engine.*VLLM_ALLOW_RUNTIME_LORA_UPDATING=1/);
    const isListed = async () => ((await listed(url)).length === 2 ? true : undefined);
    await eventually(isListed, "the adapter is loaded");
    await updated.stop();
    servers[0] = await updated.again({ loras: "updated" });
    await stator.printed(/LoRA adapter loaded[\s\S]*LoRA adapter loaded/);
    await eventually(isListed, "the adapter is loaded again");
    const asked = await complete(url, "one", freshText(50));
    expect(asked).toMatchObject({ status: 200, engine: new URL(updated.url).host });
    await stator.stop();
  });
});
