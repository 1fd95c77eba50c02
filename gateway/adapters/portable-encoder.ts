import { Tokenizer } from "@huggingface/tokenizers";
import type { EncoderFactory } from "../prompts/tokenizers/huggingface.ts";

/** A tokenizer in plain JavaScript, for runtimes without native addons. */
export const createPortableEncoder: EncoderFactory = (tokenizerJson) => {
  const tokenizer = new Tokenizer(JSON.parse(tokenizerJson), {});
  return async (text) => Uint32Array.from(tokenizer.encode(text, { add_special_tokens: false }).ids);
};
