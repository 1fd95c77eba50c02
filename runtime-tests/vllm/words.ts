import { expect } from "vitest";
import { post } from "./setup.ts";

/** Words that the documents on which the tokenizers are trained have so often that each is one token. */
const WORDS = (
  "the of a and to that is engine request with for it in not are model by an or from one its which has can cache " +
  "prompt worker tokens gateway answer each other client same"
).split(" ");

/**
 * Fields that confine an answer to whole words. An engine that continues such an answer reads the tokens that the first
 * one wrote, and so continues it as that one would have: other texts can be split into other tokens than they were written in.
 * @param url of an engine
 */
export async function wordsOnly(url: string): Promise<{ allowed_token_ids: number[] }> {
  const prompt = WORDS.map((word) => ` ${word}`).join("");
  const { tokens } = await (await post(url, "/tokenize", { prompt, add_special_tokens: false })).json();
  expect(tokens).toHaveLength(WORDS.length);
  return { allowed_token_ids: [...new Set<number>(tokens)] };
}
