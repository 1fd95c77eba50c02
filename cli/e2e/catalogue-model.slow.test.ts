import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { defaultModelFolder, fetchModel } from "../index.ts";
import { serveFromHub, startHub } from "../models/testing/hub.ts";
import { ask } from "./access/attached.ts";
import { startUp } from "./stator-process.ts";

test("--model NAME downloads the model and serves it under both names, with the catalogue's parsers", async () => {
  const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
  // A hub that has the default model in Qwen3's place.
  const hub = await startHub(serveFromHub({ body: readFileSync(path) }));
  const folder = temporaryFolder();
  const stator = startUp(
    "--model=Qwen3:0.6B",
    `--model-folder=${folder}`,
    "--workers=1",
    "--tool-parser=json",
  );
  const url = await stator.url();
  expect(stator.stderr).toContain("Downloading hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf (98 MB)");
  await stator.printed(/model is ready .*model=qwen3:0.6b .*toolParser=json reasoningParser=qwen3/);
  const models = await ask(`${url}/v1/models`);
  expect(models.body.data).toEqual([
    expect.objectContaining({
      id: "qwen3:0.6b",
      aliases: expect.arrayContaining(["Qwen3-0.6B-Q8_0", "default"]),
    }),
  ]);
  for (const model of ["qwen3:0.6b", "Qwen3-0.6B-Q8_0"]) {
    const answer = await ask(`${url}/v1/completions`, { json: { model, prompt: "Once", max_tokens: 1 } });
    expect(answer.status).toBe(200);
  }
  expect(await stator.stop()).toBe(0);
  await hub.close();
});
