import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { expect, onTestFinished, test } from "vitest";
import { writeModelFolder } from "./model-folder.ts";
import { renderChat } from "./template.ts";
import { tokenize } from "./tokens.ts";

test("the model's folder has a tokenizer that tokenizes as the stand-in does", async () => {
  const folder = await mkdtemp(join(tmpdir(), "stand-in-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeModelFolder(folder);
  const read = async (name: string) => JSON.parse(await readFile(join(folder, name), "utf8"));
  const tokenizer = new Tokenizer(await read("tokenizer.json"), await read("tokenizer_config.json"));
  const text = renderChat({ messages: [{ role: "user", content: "Grüße, 世界!\n\t  'tis\0 10 000 €" }] });
  expect(Array.from(tokenizer.encode(text, { add_special_tokens: false }).ids)).toEqual(tokenize(text));
});
