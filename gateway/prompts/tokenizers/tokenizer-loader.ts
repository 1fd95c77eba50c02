import {
  bytesToTokens,
  EncodedVocabulary,
  encodeTokenizeRequest,
  type Instance,
  type ModelCard,
} from "#runtime";
import { InvalidCardError } from "../../kernel/errors.ts";
import { type EncoderFactory, openHuggingFaceTokenizer } from "./huggingface.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";
import { createVocabulary } from "./vocabulary.ts";
import { type TokenizingWorker, WorkerCalls } from "./worker-calls.ts";

/** Loads the tokenizer of a card. `workers` returns the current workers with that tokenizer. */
export type TokenizerLoader = (card: ModelCard, workers: () => TokenizingWorker[]) => Promise<Tokenizer>;

export interface TokenizerSources {
  /** Reads a local file; undefined on runtimes without a file system. */
  readTextFile: ((path: string) => Promise<string>) | undefined;
  createEncoder: EncoderFactory;
}

/** Loads tokenizers from `tokenizer.json` files and from workers, once per content hash. */
export function createTokenizerLoader(sources: TokenizerSources): TokenizerLoader {
  const loaded = new Map<string, Promise<Tokenizer>>();
  return (card, workers) => {
    const key = `${card.tokenizer.kind}:${card.tokenizer.sha256}`;
    let tokenizer = loaded.get(key);
    if (tokenizer === undefined) {
      tokenizer = load(card, workers, sources);
      loaded.set(key, tokenizer);
      tokenizer.catch(() => loaded.delete(key));
    }
    return tokenizer;
  };
}

async function load(
  card: ModelCard,
  workers: () => TokenizingWorker[],
  sources: TokenizerSources,
): Promise<Tokenizer> {
  const source = card.tokenizer;
  if (source.kind === "huggingface") return loadFile(source, sources);
  const calls = new WorkerCalls(card.name, workers);
  const { bytes, instance } = await calls.call("vocabulary", new Uint8Array(0));
  const sha256 = await sha256Of(bytes.slice());
  if (sha256 !== source.sha256) throw wrongChecksum(source.sha256, `its vocabulary's is ${sha256}`, instance);
  const encoded = new EncodedVocabulary(bytes);
  if (encoded.size !== card.vocabularySize) {
    const reason = `it is ${card.vocabularySize}, but the vocabulary has ${encoded.size} tokens`;
    throw new InvalidCardError({ field: "vocabularySize", reason }, instance);
  }
  const pieces = Array.from({ length: encoded.size }, (_, id) => ({
    bytes: encoded.piece(id),
    control: encoded.isControl(id) || encoded.isUnused(id),
  }));
  return createTokenizer(createVocabulary(pieces), async (text) => {
    const question = encodeTokenizeRequest({ text, special: true });
    return bytesToTokens((await calls.call("tokenize", question)).bytes);
  });
}

async function loadFile(
  { path, sha256 }: { readonly path: string; readonly sha256: string },
  { readTextFile, createEncoder }: TokenizerSources,
): Promise<Tokenizer> {
  if (readTextFile === undefined) throw new Error("This runtime cannot read the tokenizer's file.");
  const text = await readTextFile(path);
  const found = await sha256Of(new TextEncoder().encode(text));
  if (found !== sha256) throw wrongChecksum(sha256, `that of ${path} is ${found}`);
  return openHuggingFaceTokenizer(text, createEncoder);
}

const wrongChecksum = (expected: string, found: string, instance?: Instance) =>
  new InvalidCardError({ field: "tokenizer.sha256", reason: `it is ${expected}, but ${found}` }, instance);

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
