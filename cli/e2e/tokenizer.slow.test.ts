import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import OpenAI from "openai";
import { beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { defaultModelFolder, fetchModel } from "../index.ts";
import { startUp } from "./stator-process.ts";
import { smolTokenizerJson } from "./tokenizer-json.ts";

/** A model whose `tokenizer.json` the gateway uses itself, without calling a worker. */
const folder = temporaryFolder();
let json: string;

beforeAll(async () => {
  const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
  json = await smolTokenizerJson(path);
});

test("the echo engine echoes in that tokenizer's tokens", async () => {
  const file = join(folder, "tokenizer.json");
  await writeFile(file, json);
  const stator = startUp("--engine=echo", "--workers=1", `--tokenizer=${file}`);
  const openai = new OpenAI({ baseURL: `${await stator.url()}/v1`, apiKey: "none", maxRetries: 0 });
  const prompt = "Grüße aus 東京 🦄!";
  const answer = await openai.completions.create({ model: "echo", prompt, max_tokens: 100 });
  expect(answer.choices[0]!.text.startsWith(prompt.repeat(3))).toBe(true);
  expect(await stator.stop()).toBe(0);
});

test("a tokenizer.json gives the same results as the worker's own tokenizer", async () => {
  const file = join(folder, "tokenizer.json");
  await writeFile(file, json);
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

test.each([
  ["no JSON", "oops", "is not a Hugging Face tokenizer.json"],
  [
    "another model's",
    () => json.replace("{", '{"added_tokens":[],').replace('"!":', '"!":999999,"!!":'),
    "belongs to another model",
  ],
])("a tokenizer that is %s is refused with a sentence", async (_, content, message) => {
  const file = join(folder, "wrong.json");
  await writeFile(file, typeof content === "string" ? content : content());
  const stator = startUp("--workers=1", `--tokenizer=${file}`);
  await stator.printed(new RegExp(message));
  expect(await stator.ended()).toBe(1);
});
