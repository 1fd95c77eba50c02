import { readGgufFileInfo } from "node-llama-cpp";
import { decodeByteLevel } from "#runtime";
import { defaultModelFolder, fetchModel } from "../index.ts";

let texts: Promise<Map<string, number>> | undefined;

/** The default model's vocabulary, read from its file: each token's text with its id. */
export function tokenTexts(): Promise<Map<string, number>> {
  texts ??= read();
  return texts;
}

async function read(): Promise<Map<string, number>> {
  const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
  const { metadata } = await readGgufFileInfo(path, { readTensorInfo: false });
  const { tokens } = metadata.tokenizer.ggml;
  return new Map(tokens.map((piece, id) => [Buffer.from(decodeByteLevel(piece)).toString(), id]));
}
