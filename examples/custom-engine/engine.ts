import { createHash } from "node:crypto";
import { encodeVocabulary, type KvEvent, type TokenPiece } from "#runtime";
import { defineWorker } from "#workers";

/** Tokens 0 to 255 are bytes; 256 ends an answer. */
const END = 256;
const BLOCK_SIZE = 16;
const utf8 = new TextEncoder();
const pieces: TokenPiece[] = [
  ...Array.from({ length: 256 }, (_, byte) => ({ bytes: Uint8Array.of(byte) })),
  { bytes: utf8.encode("<end>"), control: true },
];

/** An engine that repeats the end of its prompt in capitals, and keeps the blocks of its prompts in a cache. */
export default defineWorker({
  name: "shouter",
  open() {
    const cache = new Map<bigint, { parent: bigint | undefined; tokens: Uint32Array }>();
    let report: (events: KvEvent[]) => void = () => {};
    let running = 0;

    /** Caches the prompt's whole blocks. @returns how many of its tokens were there already */
    function cachePrompt(tokens: Uint32Array): number {
      let parent: bigint | undefined;
      let cached = 0;
      for (let at = 0; at + BLOCK_SIZE <= tokens.length; at += BLOCK_SIZE) {
        const block = tokens.slice(at, at + BLOCK_SIZE);
        const hash = hashOf(parent, block);
        if (cache.has(hash)) cached += BLOCK_SIZE;
        else {
          cache.set(hash, { parent, tokens: block });
          report([storedEvent(hash, parent, block)]);
        }
        parent = hash;
      }
      return cached;
    }

    return {
      card: {
        name: "shouter",
        aliases: [],
        apis: ["chat", "completions"],
        role: "aggregated",
        contextLength: 8192,
        blockSize: BLOCK_SIZE,
        totalBlocks: 4096,
        maxBatchedTokens: 8192,
        maxSequences: 64,
        dataParallelSize: 1,
        tokenizer: {
          kind: "worker",
          sha256: createHash("sha256").update(encodeVocabulary(pieces)).digest("hex"),
        },
        specialTokens: {},
        addBos: false,
        eosTokenIds: [END],
        vocabularySize: pieces.length,
        features: { logprobs: false, logitBias: false, embeddings: false },
        engine: { name: "shouter", version: "1" },
        created: 0,
      },
      tokenize: (text) => Uint32Array.from(utf8.encode(text)),
      vocabulary: () => pieces,
      stats: () => ({ running, waiting: 0, kvUsage: cache.size / 4096 }),
      kvEvents: {
        subscribe: (listener) => {
          report = (events) => listener(events);
        },
        snapshot: () => [...cache].map(([hash, { parent, tokens }]) => storedEvent(hash, parent, tokens)),
      },
      async *generate({ tokens, maxTokens }, signal) {
        running++;
        try {
          yield { tokenIds: [], cachedTokens: cachePrompt(tokens) };
          const answer = utf8.encode(
            new TextDecoder().decode(Uint8Array.from(tokens.slice(-12))).toUpperCase(),
          );
          for (const token of answer.subarray(0, maxTokens)) {
            if (signal.aborted) return;
            yield { tokenIds: [token] };
          }
          yield { tokenIds: [], finish: "stop", stopToken: END };
        } finally {
          running--;
        }
      },
      close: async () => {},
    };
  },
});

/** The engine's own hash of a block: any 64-bit number that stands for it and all before it. */
function hashOf(parent: bigint | undefined, tokens: Uint32Array): bigint {
  const hash = createHash("sha256").update(String(parent)).update(new Uint8Array(tokens.buffer)).digest();
  return hash.readBigUInt64LE();
}

const storedEvent = (hash: bigint, parentHash: bigint | undefined, tokenIds: Uint32Array): KvEvent => ({
  type: "stored",
  blockHashes: BigUint64Array.of(hash),
  parentHash,
  tokenIds,
  blockSize: BLOCK_SIZE,
});
