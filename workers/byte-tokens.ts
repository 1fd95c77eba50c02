import { createHash } from "node:crypto";
import { encodeVocabulary, type ModelCard, type TokenPiece } from "#runtime";
import type { TokenizerFile } from "./tokenizer-file.ts";

/** A tokenizer for engines without a model: tokens 0 to 255 are bytes, and two more are control tokens. */
const CONTROL_TOKENS = ["<|im_start|>", "<|im_end|>"];
/** Ends an answer. */
export const END_TOKEN = 257;

const utf8 = new TextEncoder();

export const bytePieces: TokenPiece[] = [
  ...Array.from({ length: 256 }, (_, byte) => ({ bytes: Uint8Array.of(byte) })),
  ...CONTROL_TOKENS.map((text) => ({ bytes: utf8.encode(text), control: true })),
];

export function tokenizeBytes(text: string): Uint32Array {
  const ids: number[] = [];
  for (const part of text.split(/(<\|im_start\|>|<\|im_end\|>)/)) {
    const control = CONTROL_TOKENS.indexOf(part);
    if (control >= 0) ids.push(256 + control);
    else for (const byte of utf8.encode(part)) ids.push(byte);
  }
  return Uint32Array.from(ids);
}

/** The UTF-8 bytes of byte tokens; control tokens become their texts. */
export function bytesOfTokens(tokens: Uint32Array): Uint8Array {
  const pieces = Array.from(tokens, (id) => bytePieces[id]?.bytes ?? new Uint8Array(0));
  return Buffer.concat(pieces);
}

/** The token fields of a model card: from `file` if given, else for byte tokens. */
export function tokenCard(
  file: TokenizerFile | undefined,
): Pick<ModelCard, "tokenizer" | "eosTokenIds" | "vocabularySize" | "specialTokens" | "addBos"> {
  const common = { specialTokens: {}, addBos: false };
  if (file !== undefined) {
    const { path, sha256, vocabularySize } = file;
    return { ...common, tokenizer: { kind: "huggingface", path, sha256 }, eosTokenIds: [], vocabularySize };
  }
  const sha256 = createHash("sha256").update(encodeVocabulary(bytePieces)).digest("hex");
  const vocabularySize = bytePieces.length;
  return { ...common, tokenizer: { kind: "worker", sha256 }, eosTokenIds: [END_TOKEN], vocabularySize };
}
