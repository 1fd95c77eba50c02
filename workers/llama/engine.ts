import {
  getLlama,
  getModuleVersion,
  type Llama,
  type LlamaContext,
  LlamaLogLevel,
  type LlamaModel,
  NoBinaryFoundError,
  type Token,
} from "node-llama-cpp";
import {
  type GenerateRequest,
  type KvEvent,
  type Logger,
  type ModelCard,
  PlaneError,
  type TokenPiece,
} from "#runtime";
import type { Delta, Engine, EngineStats, KvEventSource } from "../engine.ts";
import { BLOCK_SIZE, type CardOptions, describeModel } from "./card.ts";
import { embedWith } from "./embeddings.ts";
import { KvBlocks } from "./kv-blocks.ts";
import { generateWithLogprobs, promptLogprobs } from "./logprobs.ts";
import { samplingOptions } from "./sampling.ts";
import { commonPrefixLength, SequencePool, type SequenceSlot } from "./sequence-pool.ts";
import { readVocabulary } from "./vocabulary.ts";

/** The model's file and names, and run-time options. */
export interface LlamaOptions extends Omit<CardOptions, "engineVersion"> {
  /** Longest prompt plus answer in tokens, at most the model's training context. Default 4,096. */
  contextLength?: number | undefined;
  /** Concurrent requests, each with KV memory for a whole context. Default 4. */
  sequences?: number | undefined;
  /** CPU threads for llama.cpp. Its threads spin while they wait, so those of all workers must fit the cores. */
  threads: number;
  gpu?: "auto" | "cuda" | "vulkan" | "metal" | false | undefined;
  log: Logger;
}

/** Most tokens in one step of llama.cpp. */
const BATCH_SIZE = 512;
/** Prompt tokens evaluated at once while other sequences generate; their tokens wait meanwhile. */
const SHARED_PREFILL_CHUNK = 128;
const DEFAULT_CONTEXT_LENGTH = 4096;

/**
 * Loads a GGUF model into llama.cpp, inside this process.
 * @throws Error if the file is unreadable or its architecture unknown
 */
export async function openLlama(options: LlamaOptions): Promise<Engine> {
  const { log } = options;
  const llama = await loadLlama(options);
  if (options.gpu) {
    if (llama.gpu === false) log.warn("found no GPU that llama.cpp can use; using the CPU");
    else log.info("using the GPU", { kind: llama.gpu });
  }
  const model = await llama.loadModel({ modelPath: options.modelPath }).catch((error: Error) => {
    const advice = "Is the file complete, and its architecture supported by llama.cpp?";
    throw new Error(`Cannot load ${options.modelPath}: ${error.message}. ${advice}`);
  });
  const context = await model.createContext({
    sequences: options.sequences ?? 4,
    contextSize: Math.min(options.contextLength ?? DEFAULT_CONTEXT_LENGTH, model.trainContextSize),
    batchSize: BATCH_SIZE,
    // With a sliding window, a prefix is reusable only within its last few hundred tokens.
    swaFullCache: true,
    threads: options.threads,
  });
  return new LlamaEngine(llama, model, context, {
    ...options,
    engineVersion: `node-llama-cpp ${await getModuleVersion()}`,
  });
}

async function loadLlama({ gpu = false, threads, log }: LlamaOptions): Promise<Llama> {
  try {
    return await getLlama({
      build: "never",
      gpu,
      maxThreads: threads,
      progressLogs: false,
      logLevel: LlamaLogLevel.warn,
      logger: (level, message) => log.debug(message.trim(), { llama: level }),
    });
  } catch (error) {
    if (!(error instanceof NoBinaryFoundError)) throw error;
    const kind = gpu === false ? "CPU" : gpu;
    const advice =
      gpu === false ? "The system may be too old." : "Is its driver installed? --gpu off uses the CPU.";
    throw new Error(`llama.cpp's build for ${kind} cannot be loaded on this machine. ${advice}`, {
      cause: error,
    });
  }
}

class LlamaEngine implements Engine {
  readonly card: ModelCard;
  readonly kvEvents: KvEventSource;
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #threads: number;
  readonly #pool: SequencePool;
  readonly #blocks: KvBlocks;
  readonly #vocabulary: TokenPiece[];
  #publish: (events: KvEvent[]) => void = () => {};

  constructor(llama: Llama, model: LlamaModel, context: LlamaContext, options: LlamaOptions & CardOptions) {
    this.#llama = llama;
    this.#model = model;
    this.#threads = options.threads;
    this.#pool = new SequencePool(context);
    this.#blocks = new KvBlocks(BLOCK_SIZE, (events) => this.#publish(events));
    this.#vocabulary = readVocabulary(model);
    this.kvEvents = {
      subscribe: (listener) => {
        this.#publish = listener;
      },
      snapshot: () => this.#blocks.snapshot(),
    };
    this.card = describeModel(model, context, this.#vocabulary, options);
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    const prompt = Array.from(request.tokens) as Token[];
    const slot = await this.#pool.acquire(prompt, signal);
    try {
      const cachedTokens = await this.#reusePrefix(slot, prompt, request.echoLogprobs === true);
      yield { tokenIds: [], cachedTokens };
      if (request.echoLogprobs) yield await this.#echo(slot, prompt, request.logprobs ?? 0);
      await this.#prefill(slot, prompt, signal);
      if (signal.aborted) return;
      if (request.maxTokens === 0) yield { tokenIds: [], finish: "length" };
      else yield* this.#decode(slot, prompt, request, signal);
    } finally {
      this.#settle(slot);
    }
  }

  tokenize(text: string): Uint32Array {
    return Uint32Array.from(this.#model.tokenize(text, true));
  }

  vocabulary(): TokenPiece[] {
    return this.#vocabulary;
  }

  async embed(inputs: readonly Uint32Array[], signal: AbortSignal): Promise<Float32Array[]> {
    if (!this.card.features.embeddings)
      throw new PlaneError("invalid_request", "This model does not support embeddings.");
    return embedWith(this.#model, this.#threads, inputs, signal);
  }

  stats(): EngineStats {
    const { totalBlocks } = this.card;
    return {
      running: this.#pool.running,
      waiting: this.#pool.waiting,
      kvUsage: this.#blocks.size / totalBlocks,
    };
  }

  async close(): Promise<void> {
    await this.#llama.dispose();
  }

  /** Truncates the slot to the prefix it shares with the prompt. Returns the prefix's length. */
  async #reusePrefix(slot: SequenceSlot, prompt: Token[], needsAllLogits: boolean): Promise<number> {
    // The last prompt token is always evaluated: its logits give the answer's first token.
    const common = needsAllLogits ? 0 : Math.min(commonPrefixLength(slot.tokens, prompt), prompt.length - 1);
    const { sequence } = slot;
    if (sequence.nextTokenIndex > common) {
      await sequence.eraseContextTokenRanges([{ start: common, end: sequence.nextTokenIndex }]);
    }
    // A model with a sliding window may have dropped more than requested.
    const cached = Math.min(common, sequence.nextTokenIndex);
    this.#blocks.update(slot.index, prompt.slice(0, cached));
    slot.tokens = prompt.slice();
    return cached;
  }

  /** The prompt's tokens with their log probabilities; the first one has none. */
  async #echo(slot: SequenceSlot, prompt: Token[], top: number): Promise<Delta> {
    const logprobs = await promptLogprobs(slot.sequence, prompt, top);
    this.#blocks.grow(slot.index, prompt, slot.sequence.nextTokenIndex);
    return { tokenIds: prompt, logprobs: [{ logprob: Number.NaN, top: [] }, ...logprobs], echo: true };
  }

  /** Evaluates all but the prompt's last token, in chunks, so that an abort does not wait for all of it. */
  async #prefill(slot: SequenceSlot, prompt: Token[], signal: AbortSignal): Promise<void> {
    const { sequence } = slot;
    while (sequence.nextTokenIndex < prompt.length - 1 && !signal.aborted) {
      const start = sequence.nextTokenIndex;
      const size = this.#pool.running > 1 ? SHARED_PREFILL_CHUNK : BATCH_SIZE;
      await sequence.evaluateWithoutGeneratingNewTokens(
        prompt.slice(start, Math.min(start + size, prompt.length - 1)),
      );
      this.#blocks.grow(slot.index, prompt, sequence.nextTokenIndex);
    }
  }

  async *#decode(
    slot: SequenceSlot,
    prompt: Token[],
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Delta> {
    const { sequence } = slot;
    const generated: Token[] = [];
    const options = samplingOptions(this.#model, request, prompt, generated);
    const last = prompt.at(-1)!;
    const steps =
      request.logprobs === undefined
        ? plainSteps(sequence.evaluate([last], options))
        : generateWithLogprobs(sequence, last, options, request.logprobs);
    const stopTokens = new Set<number>(request.stopTokenIds);
    for await (const { token, logprob } of steps) {
      if (signal.aborted) return;
      this.#blocks.grow(slot.index, slot.tokens, sequence.nextTokenIndex);
      if (stopTokens.has(token) || (!request.ignoreEos && this.#model.isEogToken(token))) {
        yield { tokenIds: [], finish: "stop", stopToken: token };
        return;
      }
      generated.push(token);
      slot.tokens.push(token);
      const isLast = generated.length >= request.maxTokens;
      yield {
        tokenIds: [token],
        ...(logprob && { logprobs: [logprob] }),
        ...(isLast && { finish: "length" }),
      };
      if (isLast) return;
    }
  }

  /** Syncs slot and blocks with the KV cache (the last token was never evaluated). */
  #settle(slot: SequenceSlot): void {
    slot.tokens = slot.tokens.slice(0, slot.sequence.nextTokenIndex);
    this.#blocks.update(slot.index, slot.tokens);
    this.#pool.release(slot);
  }
}

async function* plainSteps(tokens: AsyncIterable<Token>) {
  for await (const token of tokens) yield { token, logprob: undefined };
}
