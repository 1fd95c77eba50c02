import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { loraFile } from "../../workers/llama/lora/test-lora.ts";
import { metric, until } from "./metrics.ts";
import { workerPid } from "./process-family.ts";
import { StatorProcess, startUp } from "./stator-process.ts";

/** The real model, with adapters that make it say something else. */
describe("stator up --lora", () => {
  let folder: string;
  let stator: StatorProcess;
  let openai: OpenAI;

  beforeAll(async () => {
    folder = temporaryFolder();
    const path = await loraFile(folder);
    const small = ["--workers=2", "--context-length=512", "--sequences=1"];
    stator = startUp(`--lora=poet=${path}`, "--lora-updates", ...small);
    openai = new OpenAI({ baseURL: `${await stator.url()}/v1`, apiKey: "none", maxRetries: 0 });
  });

  afterAll(() => stator.stop());

  const prompt = `${Array.from({ length: 12 }, (_, index) => `fact ${index};`).join(" ")} Paris is the capital of`;
  const asked = (model: string) => ({ model, prompt, max_tokens: 60, temperature: 0, ignore_eos: true });
  const complete = async (model: string) => {
    const { choices, usage, ...rest } = await openai.completions.create(asked(model));
    const { cached_tokens: cached } = usage!.prompt_tokens_details!;
    return { text: choices[0]!.text, cached: cached!, model: rest.model };
  };
  const post = (path: string, body: object) =>
    fetch(`${openai.baseURL}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });

  test("answers with the adapter, which has a cache of its own", async () => {
    const plain = await complete("default");
    const first = await complete("poet");
    expect(first).toMatchObject({ model: "poet", cached: 0 });
    expect(first.text).not.toBe(plain.text);
    await expect.poll(async () => (await complete("poet")).cached).toBeGreaterThan(0);
    expect((await complete("poet")).text).toBe(first.text);
    expect((await complete("default")).text).toBe(plain.text);
    expect((await openai.models.list()).data).toMatchObject([{}, { id: "poet", root: "poet" }]);
  });

  test("continues on the other worker, with the adapter, when one is killed", async () => {
    const { text: whole } = await complete("poet");
    const { data: stream, response } = await openai.completions
      .create({ ...asked("poet"), stream: true }, { headers: { "x-stator-explain": "true" } })
      .withResponse();
    const worker = response.headers.get("x-stator-worker")!;
    let text = "";
    let chunks = 0;
    for await (const { choices } of stream) {
      if (++chunks === 10) process.kill(workerPid(stator, worker), "SIGKILL");
      text += choices[0]?.text ?? "";
    }
    expect(text).toBe(whole);
    await stator.printed(new RegExp(`restarting it child=${worker}`));
    await until(async () => (await metric(await stator.url(), "stator_worker_ready")) === 2);
  });

  test("loads and unloads adapters while the workers run, and says what is wrong with a file", async () => {
    const path = await loraFile(folder, { seed: 2 });
    const load = (lora_path: string) => post("/load_lora_adapter", { lora_name: "new", lora_path });
    const refused = await load(join(folder, "none.gguf"));
    expect(refused.status).toBe(400);
    expect((await refused.json()).error.message).toMatch(/^There is no LoRA adapter at .*none.gguf/);
    expect((await load(path)).status).toBe(200);
    expect((await complete("new")).text).not.toBe((await complete("poet")).text);
    expect((await post("/unload_lora_adapter", { lora_name: "new" })).status).toBe(200);
    await expect(complete("new")).rejects.toMatchObject({ status: 404 });
  });

  test("refuses to start with a file that is no adapter", async () => {
    const path = import.meta.filename;
    const worker = new StatorProcess([
      ...["worker", "llama", `--lora=bad=${path}`, "--config=none", "--context-length=256"],
      `--discovery=file:${join(folder, "discovery")}`,
    ]);
    expect(await worker.ended()).toBe(2);
    expect(worker.stderr).toContain("lora.slow.test.ts is not a GGUF file");
  });
});
