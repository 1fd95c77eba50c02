import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultModelFolder, fetchModel } from "../index.ts";
import { startUp } from "./stator-process.ts";
import { smolTokenizerJson } from "./tokenizer-json.ts";

/** A model whose `tokenizer.json` the gateway uses itself, without calling a worker. */
let folder: string;
let json: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
  const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
  json = await smolTokenizerJson(path);
});

afterAll(() => rm(folder, { recursive: true }));

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
