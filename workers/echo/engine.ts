import { createHash } from "node:crypto";
import { encodeVocabulary, type GenerateRequest, type ModelCard, type TokenPiece } from "#runtime";
import type { Delta, Engine, EngineStats } from "../engine.ts";
import type { TokenizerFile } from "../tokenizer-file.ts";

export interface EchoOptions {
  modelName?: string | undefined;
  aliases?: string[] | undefined;
  contextLength?: number | undefined;
  sequences?: number | undefined;
  /** A tokenizer to answer in, instead of bytes. */
  tokenizer?: TokenizerFile | undefined;
  /** Milliseconds between two tokens. Default 0: as fast as the event loop turns. */
  delayMs?: number | undefined;
}

const BLOCK_SIZE = 16;
const CONTROL_TOKENS = ["<|im_start|>", "<|im_end|>"];
const END_TOKEN = 257;

/**
 * An engine without a model: it answers a prompt with the prompt's own tokens, over and over until `maxTokens`.
 * Its tokens are bytes. It serves to try a deployment, to measure the gateway, and as the smallest example of
 * an engine.
 */
export function openEcho(options: EchoOptions = {}): Engine {
  const pieces = bytePieces();
  const card = describe(pieces, options);
  let running = 0;
  return {
    card,
    stats: (): EngineStats => ({ running, waiting: 0, kvUsage: 0 }),
    tokenize,
    vocabulary: () => pieces,
    close: async () => {},
    async *generate(request, signal) {
      running++;
      try {
        yield* echo(request, signal, options.delayMs ?? 0);
      } finally {
        running--;
      }
    },
  };
}

async function* echo(request: GenerateRequest, signal: AbortSignal, delayMs: number): AsyncGenerator<Delta> {
  yield { tokenIds: [], cachedTokens: 0 };
  for (let index = 0; index < request.maxTokens; index++) {
    // An echo needs no prefill: the first token does not wait.
    await nextTurn(index === 0 ? 0 : delayMs);
    if (signal.aborted) return;
    const token = request.tokens[index % request.tokens.length]!;
    const isLast = index === request.maxTokens - 1;
    yield { tokenIds: [token], ...(isLast && { finish: "length" }) };
  }
  if (request.maxTokens === 0) yield { tokenIds: [], finish: "length" };
}

function nextTurn(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (delayMs > 0) setTimeout(resolve, delayMs);
    else setImmediate(resolve);
  });
}

function bytePieces(): TokenPiece[] {
  const utf8 = new TextEncoder();
  return [
    ...Array.from({ length: 256 }, (_, byte) => ({ bytes: Uint8Array.of(byte) })),
    ...CONTROL_TOKENS.map((text) => ({ bytes: utf8.encode(text), control: true })),
  ];
}

function tokenize(text: string): Uint32Array {
  const utf8 = new TextEncoder();
  const ids: number[] = [];
  for (const part of text.split(/(<\|im_start\|>|<\|im_end\|>)/)) {
    const control = CONTROL_TOKENS.indexOf(part);
    if (control >= 0) ids.push(256 + control);
    else for (const byte of utf8.encode(part)) ids.push(byte);
  }
  return Uint32Array.from(ids);
}

function describe(pieces: TokenPiece[], options: EchoOptions): ModelCard {
  const { contextLength = 8192, tokenizer: file } = options;
  const maxSequences = options.sequences ?? 256;
  return {
    name: options.modelName ?? "echo",
    aliases: options.aliases ?? [],
    apis: ["chat", "completions"],
    role: "aggregated",
    contextLength,
    blockSize: BLOCK_SIZE,
    totalBlocks: Math.floor((contextLength * maxSequences) / BLOCK_SIZE),
    maxBatchedTokens: contextLength,
    maxSequences,
    tokenizer:
      file === undefined
        ? { kind: "worker", sha256: createHash("sha256").update(encodeVocabulary(pieces)).digest("hex") }
        : { kind: "huggingface", path: file.path, sha256: file.sha256 },
    chatTemplate: "{{ messages[-1].content }}",
    specialTokens: {},
    addBos: false,
    eosTokenIds: file === undefined ? [END_TOKEN] : [],
    vocabularySize: file?.vocabularySize ?? pieces.length,
    features: { logprobs: false, logitBias: false, embeddings: false },
    engine: { name: "echo", version: "1" },
    created: Math.floor(Date.now() / 1000),
  };
}
