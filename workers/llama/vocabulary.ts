import type { LlamaModel } from "node-llama-cpp";
import { decodeByteLevel, decodeSentencePiece, type TokenPiece } from "#runtime";

/** GGUF's `tokenizer.ggml.token_type`; https://github.com/ggml-org/ggml/blob/master/docs/gguf.md names them. */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

/**
 * Every token's bytes, from the model file's vocabulary. (llama.cpp's detokenizer returns text, in which bytes of
 * partial characters are lost.)
 * @throws Error for a file without a vocabulary
 */
export function readVocabulary(model: LlamaModel): TokenPiece[] {
  const { tokens, token_type: types, model: kind } = model.fileInfo.metadata.tokenizer.ggml;
  if (!Array.isArray(tokens)) throw new Error("The model file has no vocabulary (tokenizer.ggml.tokens).");
  const decode = kind === "gpt2" ? decodeByteLevel : decodeSentencePiece;
  const utf8 = new TextEncoder();
  return tokens.map((text, id) => {
    const type = types?.[id];
    const control = type === CONTROL || type === UNUSED || type === UNKNOWN;
    return { bytes: control || type === USER_DEFINED ? utf8.encode(text) : decode(text), control };
  });
}
