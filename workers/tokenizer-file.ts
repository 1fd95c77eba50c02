import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

/** A Hugging Face `tokenizer.json` on this machine; the gateway reads it from the same path. */
export interface TokenizerFile {
  path: string;
  sha256: string;
  /** Ids range from 0 to this minus one. */
  vocabularySize: number;
}

/** @throws Error if the file is unreadable or not a tokenizer */
export async function readTokenizerFile(path: string): Promise<TokenizerFile> {
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new Error(`Cannot read the tokenizer ${path}: ${error.message}`);
  });
  const ids = tokenIds(parse(text));
  if (ids.length === 0)
    throw new Error(`${path} is not a Hugging Face tokenizer.json: it has no vocabulary.`);
  return {
    path: resolve(path),
    sha256: createHash("sha256").update(text).digest("hex"),
    vocabularySize: ids.reduce((highest, id) => Math.max(highest, id), 0) + 1,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function tokenIds(file: unknown): number[] {
  const get = (value: unknown, key: string): unknown => Reflect.get(Object(value), key);
  const vocabulary = get(get(file, "model"), "vocab");
  const added = get(file, "added_tokens");
  const own = Array.isArray(vocabulary) ? vocabulary.map((_, id) => id) : Object.values(Object(vocabulary));
  const further = Array.isArray(added) ? added.map((token) => get(token, "id")) : [];
  return [...own, ...further].filter((id) => typeof id === "number");
}
