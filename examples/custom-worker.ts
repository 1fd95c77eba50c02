/**
 * A custom worker in one file: an engine that answers every prompt with the words of a fixed sentence.
 *
 *     npm start -- --engine examples/custom-worker.ts --workers 1
 *
 * An engine takes token ids and yields token ids. This one has its own vocabulary, so it also defines how text becomes
 * tokens (`tokenize`) and the bytes of each token (`vocabulary`).
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeVocabulary, type TokenPiece } from "#runtime";
import { defineWorker, type Engine } from "#workers";

const END = 256;
const answer = new TextEncoder().encode("Hello from an engine of your own.");

/** Tokens 0 to 255 are bytes; 256 ends an answer. */
const pieces: TokenPiece[] = [
  ...Array.from({ length: 256 }, (_, byte) => ({ bytes: Uint8Array.of(byte) })),
  { bytes: new TextEncoder().encode("<end>"), control: true },
];

function openParrot(name: string): Engine {
  let running = 0;
  return {
    card: {
      name,
      aliases: ["default"],
      apis: ["chat", "completions"],
      role: "aggregated",
      contextLength: 4096,
      blockSize: 16,
      totalBlocks: 4096,
      maxBatchedTokens: 4096,
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
      engine: { name: "parrot", version: "1" },
      created: Math.floor(Date.now() / 1000),
    },
    tokenize: (text) => Uint32Array.from(new TextEncoder().encode(text)),
    vocabulary: () => pieces,
    stats: () => ({ running, waiting: 0, kvUsage: 0 }),
    close: async () => {},
    async *generate(request, signal) {
      running++;
      try {
        for (const token of answer.subarray(0, request.maxTokens)) {
          await sleep(5);
          if (signal.aborted) return;
          yield { tokenIds: [token] };
        }
        yield answer.length < request.maxTokens
          ? { tokenIds: [], finish: "stop", stopToken: END }
          : { tokenIds: [], finish: "length" };
      } finally {
        running--;
      }
    },
  };
}

export default defineWorker({
  name: "parrot",
  open: ({ options }) => openParrot(options.modelName ?? "parrot"),
});
