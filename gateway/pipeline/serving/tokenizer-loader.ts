import {
  bytesToTokens,
  Vocabulary as EncodedVocabulary,
  encodeTokenizeRequest,
  type ModelCard,
} from "#runtime";
import { unaryCall } from "../../dispatch/unary-call.ts";
import type { WorkerConnection } from "../../dispatch/worker-connection.ts";
import { noWorkerReady } from "../../errors.ts";
import { type EncoderFactory, openHuggingFaceTokenizer } from "../preprocess/huggingface.ts";
import { createTokenizer, type Tokenizer } from "../preprocess/tokenizer.ts";
import { createVocabulary } from "../preprocess/vocabulary.ts";

/** Finds the tokenizer that a card names; `workers` tells, at any later moment, whose tokenizer it is. */
export type TokenizerLoader = (card: ModelCard, workers: () => WorkerConnection[]) => Promise<Tokenizer>;

export interface TokenizerSources {
  /** Reads a file of this machine; absent on runtimes without a file system. */
  readTextFile: ((path: string) => Promise<string>) | undefined;
  createEncoder: EncoderFactory;
}

/** Tokenizers from `tokenizer.json` files and from workers, each loaded once for its content hash. */
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

async function load(
  card: ModelCard,
  workers: () => WorkerConnection[],
  sources: TokenizerSources,
): Promise<Tokenizer> {
  const source = card.tokenizer;
  if (source.kind === "huggingface") {
    if (sources.readTextFile === undefined) throw new Error("This runtime cannot read the tokenizer's file.");
    return openHuggingFaceTokenizer(await sources.readTextFile(source.path), sources.createEncoder);
  }
  let turn = 0;
  const nextClient = () => {
    const ready = workers().filter((worker) => worker.state === "ready");
    const client = ready[turn++ % ready.length]?.client;
    if (client === undefined) throw noWorkerReady(card.name);
    return client;
  };
  const encoded = new EncodedVocabulary(await unaryCall(nextClient(), "vocabulary", new Uint8Array(0), CALL));
  const pieces = Array.from({ length: encoded.size }, (_, id) => ({
    bytes: encoded.piece(id),
    control: encoded.isControl(id) || encoded.isUnused(id),
  }));
  return createTokenizer(createVocabulary(pieces), async (text) => {
    const answer = await unaryCall(
      nextClient(),
      "tokenize",
      encodeTokenizeRequest({ text, special: true }),
      CALL,
    );
    return bytesToTokens(answer);
  });
}
