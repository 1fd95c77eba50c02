import { describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import type { Gateway } from "./create-gateway.ts";
import { ask, attach, chat, FaultyEngine, models } from "./test-engine.ts";

const LOAD = "/v1/load_lora_adapter";
const UNLOAD = "/v1/unload_lora_adapter";
const sql = { lora_name: "sql", lora_path: "/adapters/sql" };

/** So rare that what the gateway knows of the engines' models comes from the requests themselves. */
const RARELY = { health: { intervalMs: 60_000, slowStartMs: 0 } };

const start = async (count: number) =>
  Promise.all(Array.from({ length: count }, () => FaultyEngine.start("vllm")));

const adaptersOf = (engines: readonly FaultyEngine[]) => engines.map(({ adapters }) => adapters);

const log = (lines: string[]) => ({ log: createLogger({ name: "test", write: (line) => lines.push(line) }) });

describe("a LoRA adapter of attached engines", () => {
  test("is loaded by all engines of the model, known at once, and unloaded again", async () => {
    const engines = await start(2);
    const gateway = await attach(engines, RARELY);
    const loaded = await ask(gateway, LOAD, { ...sql, model: "tiny", load_inplace: null });
    expect(loaded).toMatchObject({ status: 200, text: "Success: LoRA adapter 'sql' added successfully." });
    expect(adaptersOf(engines)).toEqual([["sql"], ["sql"]]);
    expect(await models(gateway)).toEqual(["sql", "tiny"]);
    expect((await ask(gateway, "/v1/models/sql")).body).toMatchObject({ id: "sql", parent: "tiny" });
    expect((await chat(gateway, "sql")).status).toBe(200);
    const again = await ask(gateway, LOAD, sql);
    expect(again).toMatchObject({ status: 400, body: { error: { param: "lora_name" } } });
    expect(again.text).toContain("has already been loaded");
    const unloaded = await ask(gateway, UNLOAD, { lora_name: "sql" });
    expect(unloaded).toMatchObject({
      status: 200,
      text: "Success: LoRA adapter 'sql' removed successfully.",
    });
    expect(adaptersOf(engines)).toEqual([[], []]);
    expect(await models(gateway)).toEqual(["tiny"]);
    expect((await chat(gateway, "sql")).status).toBe(404);
    expect((await ask(gateway, UNLOAD, { lora_name: "sql" })).status).toBe(404);
  });

  test("that some engines refuse is used where it is, and loaded there by the next request", async () => {
    const [good, bad] = (await start(2)) as [FaultyEngine, FaultyEngine];
    const gateway = await attach([good, bad], RARELY);
    bad.loraRefusal = [404, { error: { message: "No adapter found for /adapters/sql" } }];
    const partly = await ask(gateway, LOAD, sql);
    expect(partly).toMatchObject({ status: 502, body: { error: { code: "adapter_partly_changed" } } });
    expect(partly.body.error.message).toBe(
      `The LoRA adapter 'sql' was loaded by ${good.name}, but not by others: ${bad.name}: No adapter found for /adapters/sql. Send the request again to ask those.`,
    );
    for (let round = 0; round < 6; round++) expect((await chat(gateway, "sql")).status).toBe(200);
    expect(bad.count("/v1/chat/completions")).toBe(0);
    bad.loraRefusal = undefined;
    expect((await ask(gateway, LOAD, sql)).status).toBe(200);
    expect(adaptersOf([good, bad])).toEqual([["sql"], ["sql"]]);
  });

  test("that all engines refuse is answered with their error", async () => {
    const engines = await start(2);
    const gateway = await attach(engines, RARELY);
    for (const engine of engines) engine.loraRefusal = [404, { error: { message: "No adapter found." } }];
    expect(await ask(gateway, LOAD, sql)).toMatchObject({
      status: 404,
      body: { error: { type: "not_found_error", message: "No adapter found." } },
    });
    for (const engine of engines) engine.loraRefusal = [500, { error: { message: "Out of memory." } }];
    expect(await ask(gateway, LOAD, sql)).toMatchObject({
      status: 502,
      body: { error: { type: "server_error", message: "Out of memory." } },
    });
  });

  test("is refused with what to do about it by engines that do not update adapters", async () => {
    const [engine] = (await start(1)) as [FaultyEngine];
    engine.hasLoraUpdates = false;
    const gateway = await attach([engine], RARELY);
    const refused = await ask(gateway, LOAD, sql);
    expect(refused.status).toBe(400);
    expect(refused.body.error.message).toContain("VLLM_ALLOW_RUNTIME_LORA_UPDATING=1");
    const other = await FaultyEngine.start("openai");
    const simple = await attach([other], RARELY);
    expect((await ask(simple, LOAD, sql)).body.error.message).toBe(
      "The engine does not change its LoRA adapters while it runs. It does not have vLLM's paths for that, or has turned them off.",
    );
  });

  test("is loaded by the model that the request names, if there are several", async () => {
    const [tiny, other] = (await start(2)) as [FaultyEngine, FaultyEngine];
    other.models = ["other"];
    const gateway = await attach([tiny, other], RARELY);
    const nameless = await ask(gateway, LOAD, sql);
    expect(nameless).toMatchObject({ status: 400, body: { error: { param: "model" } } });
    expect(nameless.body.error.message).toMatch(/several: 'tiny', 'other'|several: 'other', 'tiny'/);
    expect((await ask(gateway, LOAD, { ...sql, base_model_name: "other" })).status).toBe(200);
    expect(adaptersOf([tiny, other])).toEqual([[], ["sql"]]);
    expect((await ask(gateway, LOAD, { ...sql, model: "tiny" })).body.error.message).toContain(
      "the model 'other' has an adapter of this one",
    );
    expect((await ask(gateway, LOAD, { ...sql, lora_name: "tiny" })).status).toBe(400);
    expect((await ask(gateway, LOAD, { ...sql, model: "none" })).status).toBe(404);
    expect((await ask(gateway, UNLOAD, { lora_name: "sql" })).status).toBe(200);
  });
});

describe("adapters that all engines are to have", () => {
  const loras = [["sql", "/adapters/sql"]] as const;
  const has = (gateway: Gateway) => expect.poll(() => models(gateway)).toEqual(["sql", "tiny"]);

  test("are loaded when an engine joins, and again after it has restarted", async () => {
    const [engine] = (await start(1)) as [FaultyEngine];
    const gateway = await attach([engine], { loras });
    await has(gateway);
    engine.adapters = [];
    engine.startedAt = 5_000;
    await expect.poll(() => engine.count(LOAD)).toBe(2);
    await has(gateway);
    expect(engine.adapters).toEqual(["sql"]);
  });

  test("stay unloaded if an operator unloads them", async () => {
    const [engine] = (await start(1)) as [FaultyEngine];
    const gateway = await attach([engine], { loras });
    await has(gateway);
    expect((await ask(gateway, UNLOAD, { lora_name: "sql" })).status).toBe(200);
    const checks = engine.count("/metrics");
    await expect.poll(() => engine.count("/metrics")).toBeGreaterThan(checks + 5);
    expect(engine.adapters).toEqual([]);
  });

  test("may have been loaded meanwhile by another gateway", async () => {
    const [engine] = (await start(1)) as [FaultyEngine];
    engine.loraRefusal = [400, { error: { message: "It has already been loaded." } }];
    engine.onLora = () => {
      engine.adapters = ["sql"];
    };
    const gateway = await attach([engine], {
      loras,
      health: { intervalMs: 20, modelsMs: 50, slowStartMs: 0 },
    });
    await has(gateway);
    expect(engine.count(LOAD)).toBe(1);
  });

  test("are not loaded by an engine that has them, and a refusal is logged", async () => {
    const [full, stubborn] = (await start(2)) as [FaultyEngine, FaultyEngine];
    full.adapters = ["sql"];
    stubborn.hasLoraUpdates = false;
    const lines: string[] = [];
    await attach([full, stubborn], { loras, ...log(lines) });
    const warnings = () => lines.filter((line) => line.includes("cannot load a LoRA adapter"));
    await expect.poll(warnings).toHaveLength(1);
    expect(warnings()[0]).toContain(`engine=${stubborn.name} adapter=sql`);
    expect(warnings()[0]).toContain("VLLM_ALLOW_RUNTIME_LORA_UPDATING=1");
    expect(full.count(LOAD)).toBe(0);
  });
});
