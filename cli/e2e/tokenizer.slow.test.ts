import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { defaultModelFolder, fetchModel } from "../index.ts";
import { startUp } from "./stator-process.ts";
import { smolTokenizerJson } from "./tokenizer-json.ts";

test("a tokenizer.json gives the same results as the worker's own tokenizer", async () => {
  const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
  const file = join(temporaryFolder(), "tokenizer.json");
  await writeFile(file, await smolTokenizerJson(path));
  const stator = startUp("--workers=1", `--tokenizer=${file}`);
  const openai = new OpenAI({ baseURL: `${await stator.url()}/v1`, apiKey: "none", maxRetries: 0 });
  const answer = await openai.chat.completions.create({
    model: "default",
    temperature: 0,
    messages: [
      { role: "system", content: "You are a helpful AI assistant." },
      { role: "user", content: "What is the capital of France?" },
    ],
  });
  expect(answer.choices[0]!.message.content).toBe("The capital of France is Paris.");
  expect(await stator.stop()).toBe(0);
});
