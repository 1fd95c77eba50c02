import { afterEach, describe, expect, test } from "vitest";
import { openEcho } from "./echo/engine.ts";
import { requestFor } from "./engine.suite.ts";
import type { Engine } from "./engine.ts";
import { startTestingWorker, type TestingWorker } from "./kv/testing-worker.ts";
import { openMocker } from "./mocker/engine.ts";

const workers: TestingWorker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});

async function start(engine: Engine, loraUpdates = true) {
  const worker = await startTestingWorker(engine, { loraUpdates });
  workers.push(worker);
  return worker;
}

const mocker = (...names: string[]) =>
  openMocker({ speedup: 0, loras: names.map((name) => [name, `/${name}.gguf`] as const) });

/** The adapters that discovery knows. */
async function announced({ discovery, host }: TestingWorker) {
  const key = `instances/${host.instance.id}`;
  const { card } = (await discovery.get("instances/")).get(key) as { card: { loraAdapters: string[] } };
  return card.loraAdapters;
}

describe("a worker's LoRA adapters", () => {
  test("are announced at the start, and whenever they change", async () => {
    const worker = await start(mocker("sql"));
    expect(await announced(worker)).toEqual(["sql"]);
    await worker.client.loadLora("poems");
    expect(await announced(worker)).toEqual(["sql", "poems"]);
    await worker.client.unloadLora("sql");
    expect(await announced(worker)).toEqual(["poems"]);
    await Promise.all(["a", "b", "c"].map((name) => worker.client.loadLora(name)));
    expect(await announced(worker)).toEqual(["poems", "a", "b", "c"]);
  });

  test("answer requests that name them, each with a cache of its own", async () => {
    const worker = await start(mocker("sql"));
    const request = requestFor(new Uint32Array(200).fill(7), { maxTokens: 12 });
    const ask = (loraName?: string) => worker.client.generate({ ...request, loraName });
    const [plain, sql] = [await ask(), await ask("sql")];
    expect(sql.tokens).not.toEqual(plain.tokens);
    expect([plain.cachedTokens, sql.cachedTokens]).toEqual([0, 0]);
    expect([(await ask()).cachedTokens, (await ask("sql")).cachedTokens]).toEqual([192, 192]);
  });

  test("that it does not have are elsewhere, perhaps", async () => {
    const worker = await start(mocker("sql"));
    const request = requestFor(Uint32Array.of(1), { loraName: "poems" });
    await expect(worker.client.generate(request)).rejects.toMatchObject({ code: "draining" });
  });

  test("have names of their own, and are replaced only on request", async () => {
    const { client } = await start(mocker("sql"));
    const refusal = (message: string) => ({ code: "invalid_request", message });
    await expect(client.loadLora("sql")).rejects.toMatchObject(
      refusal("The LoRA adapter 'sql' has already been loaded. To replace it, set 'load_inplace' to true."),
    );
    await client.loadLora("sql", { inPlace: true });
    await expect(client.loadLora("mocker")).rejects.toMatchObject({ code: "invalid_request" });
    await expect(client.unloadLora("none")).rejects.toMatchObject(
      refusal("The LoRA adapter 'none' cannot be found."),
    );
    await expect(start(mocker("mocker"))).rejects.toThrow("this one is the model's own");
  });

  test("stay as they are without --lora-updates", async () => {
    const worker = await start(mocker("sql"), false);
    for (const change of [worker.client.loadLora("poems"), worker.client.unloadLora("sql")])
      await expect(change).rejects.toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining("--lora-updates"),
      });
    expect(await announced(worker)).toEqual(["sql"]);
  });

  test("are not for every engine", async () => {
    const { client } = await start(openEcho());
    await expect(client.loadLora("sql")).rejects.toMatchObject({
      message: "The engine 'echo' has no LoRA adapters.",
    });
  });
});
