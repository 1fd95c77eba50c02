import {
  bytesToTokens,
  EncodedVocabulary,
  encodeTokenizeRequest,
  type Instance,
  type ModelCard,
  PlaneError,
  type RequestPlaneClient,
  unaryCall,
} from "#runtime";
import { InvalidCardError, noWorkerReady, workerFailed } from "../../kernel/errors.ts";
import { type EncoderFactory, openHuggingFaceTokenizer } from "./huggingface.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";
import { createVocabulary } from "./vocabulary.ts";

/** A worker that provides its vocabulary and tokenizes while it is ready. */
export interface TokenizingWorker {
  readonly state: string;
  readonly client: RequestPlaneClient | undefined;
  readonly instance: Instance;
}

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

const CALL = { deadlineMs: 30_000 };
/** How many workers to try for a text's tokens before giving up. */
const ATTEMPTS = 3;

async function load(
  card: ModelCard,
  workers: () => TokenizingWorker[],
  sources: TokenizerSources,
): Promise<Tokenizer> {
  const source = card.tokenizer;
  if (source.kind === "huggingface") return loadFile(source, sources);
  let turn = 0;
  const next = () => {
    const ready = workers().filter((worker) => worker.state === "ready");
    const { client, instance } = ready[turn++ % ready.length] ?? {};
    if (client === undefined) throw noWorkerReady(card.name);
    return { client, instance };
  };
  const { client, instance } = next();
  const bytes = await unaryCall(client, "vocabulary", new Uint8Array(0), CALL);
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
    let failure: PlaneError | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        return bytesToTokens(await unaryCall(next().client, "tokenize", question, CALL));
      } catch (error) {
        // A failed worker says nothing about the text, so another one is tried.
        if (!(error instanceof PlaneError)) throw error;
        failure = error;
      }
    }
    throw workerFailed(failure);
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
