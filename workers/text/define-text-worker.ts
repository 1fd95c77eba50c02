import type { GenerateRequest, ModelCard, Sampling } from "#runtime";
import { bytePieces, bytesOfTokens, END_TOKEN, tokenCard, tokenizeBytes } from "../byte-tokens.ts";
import type { EngineOptions, WorkerContext, WorkerDefinition } from "../define-worker.ts";
import type { Delta, Engine } from "../engine.ts";

/** A request to a text worker. */
export interface TextRequest {
  /** For logs. */
  requestId: string;
  /** The text to continue: a completion's prompt, or the conversation rendered by `chatTemplate`. */
  prompt: string;
  /** Longest answer in UTF-8 bytes; the rest is cut off. */
  maxTokens: number;
  sampling: Sampling;
}

export interface TextWorker {
  /** Name of the engine, and by default (`--model-name`) of its model. */
  name: string;
  /** Yields the answer in pieces, such as words, and returns at its end. Not resumed after an abort. */
  generate(request: TextRequest, signal: AbortSignal): AsyncIterable<string> | Iterable<string>;
  /** Loads what `generate` needs. If it throws, the worker exits with the error's message. */
  load?(context: WorkerContext): void | Promise<void>;
  /** Frees resources; no request is running. */
  close?(): void | Promise<void>;
  /** Jinja source that renders a conversation, such as `{{ messages[-1].content }}`. Default: plain turns. */
  chatTemplate?: string;
  /** Longest prompt plus answer in UTF-8 bytes. Default 131,072, or `--context-length`. */
  contextLength?: number;
}

const BLOCK_SIZE = 64;

/**
 * Defines a worker whose engine takes text and yields text. Its tokens are UTF-8 bytes, which `max_tokens`, usage and the
 * context count. Export it as the default of a module and run it with `stator worker ./my-engine.ts`.
 *
 * @example
 * export default defineTextWorker({
 *   name: "parrot",
 *   async *generate({ prompt }) {
 *     for (const word of prompt.split(" ")) yield `${word} `;
 *   },
 * });
 */
export const defineTextWorker = (worker: TextWorker): WorkerDefinition => ({
  name: worker.name,
  async open(context) {
    if (context.options.tokenizer !== undefined)
      throw new Error(
        `--tokenizer does not work with '${worker.name}': the tokens of a text worker are bytes.`,
      );
    await worker.load?.(context);
    return openText(worker, describe(worker, context.options));
  },
});

function openText(worker: TextWorker, card: ModelCard): Engine {
  let running = 0;
  return {
    card,
    stats: () => ({ running, waiting: 0, kvUsage: 0 }),
    tokenize: tokenizeBytes,
    vocabulary: () => bytePieces,
    close: async () => worker.close?.(),
    async *generate(request, signal) {
      running++;
      try {
        yield* answer(worker, request, signal);
      } finally {
        running--;
      }
    },
  };
}

async function* answer(
  worker: TextWorker,
  { requestId, tokens, maxTokens, sampling }: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<Delta> {
  yield { tokenIds: [], cachedTokens: 0 };
  const prompt = new TextDecoder().decode(bytesOfTokens(tokens));
  let left = maxTokens;
  /** The first half of a surrogate pair that continues in the next piece. */
  let half = "";
  if (left > 0) {
    for await (const text of worker.generate({ requestId, prompt, maxTokens, sampling }, signal)) {
      if (signal.aborted) return;
      const all = half + requireText(text, worker.name);
      half = /[\ud800-\udbff]$/.exec(all)?.[0] ?? "";
      const bytes = utf8.encode(all.slice(0, all.length - half.length)).subarray(0, left);
      left -= bytes.length;
      if (left === 0) {
        yield { tokenIds: Array.from(bytes), finish: "length" };
        return;
      }
      yield { tokenIds: Array.from(bytes) };
    }
    yield { tokenIds: [], finish: "stop", stopToken: END_TOKEN };
  } else yield { tokenIds: [], finish: "length" };
}

const utf8 = new TextEncoder();

function requireText(text: unknown, engine: string): string {
  if (typeof text === "string") return text;
  throw new TypeError(`The text worker '${engine}' yielded ${typeof text}; it must yield strings.`);
}

function describe({ name, chatTemplate, ...worker }: TextWorker, options: EngineOptions): ModelCard {
  const contextLength = options.contextLength ?? worker.contextLength ?? 131_072;
  const maxSequences = options.sequences ?? 256;
  return {
    name: options.modelName ?? name,
    aliases: options.aliases ?? [],
    apis: ["chat", "completions"],
    role: "aggregated",
    contextLength,
    blockSize: BLOCK_SIZE,
    totalBlocks: Math.ceil(contextLength / BLOCK_SIZE) * maxSequences,
    maxBatchedTokens: contextLength,
    maxSequences,
    dataParallelSize: 1,
    ...tokenCard(undefined),
    ...(chatTemplate !== undefined && { chatTemplate }),
    features: { logprobs: false, logitBias: false, embeddings: false, continues: false },
    engine: { name, version: "1" },
    created: Math.floor(Date.now() / 1000),
  };
}
