import type { GenerateRequest, ModelCard } from "#runtime";
import { bytePieces, tokenCard, tokenizeBytes } from "../byte-tokens.ts";
import type { Delta, Engine, EngineStats } from "../engine.ts";
import type { TokenizerFile } from "../tokenizer-file.ts";

export interface EchoOptions {
  modelName?: string | undefined;
  aliases?: string[] | undefined;
  contextLength?: number | undefined;
  sequences?: number | undefined;
  /** A tokenizer to use instead of bytes. */
  tokenizer?: TokenizerFile | undefined;
  /** Milliseconds between two tokens. Default 0: one token per turn of the event loop. */
  delayMs?: number | undefined;
}

const BLOCK_SIZE = 16;

/**
 * An engine without a model that repeats the prompt's tokens until `maxTokens`. Its tokens are bytes. Use it to try a
 * deployment, to measure the gateway, and as a minimal example of an engine.
 */
export function openEcho(options: EchoOptions = {}): Engine {
  const card = describe(options);
  let running = 0;
  return {
    card,
    stats: (): EngineStats => ({ running, waiting: 0, kvUsage: 0 }),
    tokenize: tokenizeBytes,
    vocabulary: () => bytePieces,
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
    // An echo needs no prefill, so the first token is not delayed.
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

function describe(options: EchoOptions): ModelCard {
  const { contextLength = 8192 } = options;
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
    dataParallelSize: 1,
    ...tokenCard(options.tokenizer),
    chatTemplate: "{{ messages[-1].content }}",
    features: { logprobs: false, logitBias: false, embeddings: false, continues: false, cacheSalt: true },
    engine: { name: "echo", version: "1" },
    created: Math.floor(Date.now() / 1000),
  };
}
