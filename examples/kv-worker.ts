/**
 * An engine whose work can be split between two workers: one reads the prompt, another one writes the answer.
 *
 *     npm start -- --engine examples/kv-worker.ts --prefill-workers 1 --decode-workers 1
 *
 * It is a recurrent network with a state of four bytes and no training. What it knows of a prompt is that state, so that is
 * what travels. An engine with attention has keys and values of each token instead: a few hundred kilobytes.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeVocabulary, type GenerateRequest, type TokenPiece } from "#runtime";
import {
  type Delta,
  defineWorker,
  type Engine,
  type KvImport,
  KvUnusableError,
  type Prefilled,
} from "#workers";

const STATE_BYTES = 4;
const LETTERS = new TextEncoder().encode("etaoin shrdlu");

/** Tokens are bytes. */
const pieces: TokenPiece[] = Array.from({ length: 256 }, (_, byte) => ({ bytes: Uint8Array.of(byte) }));

/** The state after more tokens. */
const read = (state: number, tokens: Uint32Array) =>
  tokens.reduce((before, token) => (Math.imul(before ^ token, 0x9e3779b1) ^ (before >>> 15)) >>> 0, state);

/** The token that follows a state. */
const next = (state: number) => LETTERS[state % LETTERS.length]!;

async function* write(
  state: number,
  { maxTokens }: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<Delta> {
  if (maxTokens === 0) yield { tokenIds: [], finish: "length" };
  for (let count = 1, now = state; count <= maxTokens && !signal.aborted; count++) {
    const token = next(now);
    now = read(now, Uint32Array.of(token));
    yield { tokenIds: [token], ...(count === maxTokens && { finish: "length" }) };
    await sleep(5);
  }
}

function openRecurrent(name: string): Engine {
  return {
    card: {
      name,
      aliases: ["default"],
      apis: ["completions"],
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
      eosTokenIds: [],
      vocabularySize: pieces.length,
      features: { logprobs: false, logitBias: false, embeddings: false },
      engine: { name: "recurrent", version: "1" },
      created: Math.floor(Date.now() / 1000),
      // Whoever has the same engine, weights and layout can use this engine's states.
      kvFormat: "recurrent 1 weights=0x9e3779b1 state=u32be",
    },
    tokenize: (text) => Uint32Array.from(new TextEncoder().encode(text)),
    vocabulary: () => pieces,
    stats: () => ({ running: 0, waiting: 0, kvUsage: 0 }),
    close: async () => {},

    async *generate(request, signal) {
      yield { tokenIds: [], cachedTokens: 0 };
      yield* write(read(0, request.tokens), request, signal);
    },

    async exportKv({ tokens, maxTokens }): Promise<Prefilled> {
      if (maxTokens === 0) return { delta: { tokenIds: [], cachedTokens: 0, finish: "length" } };
      const state = read(0, tokens);
      const first = { tokenIds: [next(state)], cachedTokens: 0 };
      if (maxTokens === 1) return { delta: { ...first, finish: "length" } };
      return {
        delta: first,
        kv: {
          tokens: tokens.length,
          bytes: STATE_BYTES,
          write: async (memory) => viewOf(memory).setUint32(0, state),
          release: () => {},
        },
      };
    },

    async *importKv(request, kv: KvImport, signal) {
      const memory = await kv.read();
      if (memory.length !== STATE_BYTES)
        throw new KvUnusableError("format", "That is no state of this engine.");
      const state = viewOf(memory).getUint32(0);
      // The first delta says that the state is here; from now on, the other worker need not keep it.
      yield { tokenIds: [], cachedTokens: 0 };
      yield* write(read(state, request.tokens.subarray(kv.tokens)), request, signal);
    },
  };
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new DataView(buffer, byteOffset, byteLength);

export default defineWorker({
  name: "recurrent",
  open: ({ options }) => openRecurrent(options.modelName ?? "recurrent"),
});
