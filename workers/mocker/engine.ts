import type { GenerateRequest, KvEvent, ModelCard } from "#runtime";
import { bytePieces, tokenCard, tokenizeBytes } from "../byte-tokens.ts";
import type { Delta, Engine, EngineStats, KvEventSource } from "../engine.ts";
import type { TokenizerFile } from "../tokenizer-file.ts";
import { CacheEvents } from "./cache-events.ts";
import { nextHash } from "./hashes.ts";
import { type ScheduledRequest, Scheduler } from "./scheduler.ts";
import { H100_8B, type StepTiming, stepTime } from "./timing.ts";

export interface MockerOptions {
  modelName?: string | undefined;
  aliases?: string[] | undefined;
  contextLength?: number | undefined;
  /** Requests worked on at once. Default 256. */
  sequences?: number | undefined;
  tokenizer?: TokenizerFile | undefined;
  /** Tokens in a block. Default 64. */
  blockSize?: number | undefined;
  /** Blocks of KV memory. Default 16,384. */
  totalBlocks?: number | undefined;
  /** Tokens evaluated in one step. Default 8,192. */
  maxBatchedTokens?: number | undefined;
  /** How many times faster than the simulated GPU; 0 takes no time at all. Default 1. */
  speedup?: number | undefined;
  timing?: StepTiming | undefined;
}

/** The simulated answer: these bytes, over and over. */
const ANSWER = new TextEncoder().encode("the quick brown fox jumps over the lazy dog and ");

/**
 * An engine that computes nothing but behaves as vLLM on a GPU does: paged blocks, prefix cache, continuous
 * batching with chunked prefill, preemption, true KV events, and the time that each step would take.
 */
export function openMocker(options: MockerOptions = {}): Engine {
  return new Mocker(options);
}

class Mocker implements Engine {
  readonly card: ModelCard;
  readonly kvEvents: KvEventSource;
  readonly tokenize = tokenizeBytes;
  readonly #scheduler: Scheduler;
  readonly #events: CacheEvents;
  readonly #timing: StepTiming;
  readonly #speedup: number;
  readonly #requests = new Set<MockRequest>();
  /** Who can tell a block's tokens when it is stored: the request that was asked for its hash last. */
  readonly #owners = new Map<number, MockRequest>();
  #publish: (events: KvEvent[]) => void = () => {};
  #isStepping = false;

  constructor(options: MockerOptions) {
    this.card = describe(options);
    this.#timing = options.timing ?? H100_8B;
    this.#speedup = options.speedup ?? 1;
    const { blockSize, totalBlocks, maxSequences, maxBatchedTokens } = this.card;
    this.#events = new CacheEvents(blockSize, (hash) => this.#owners.get(hash)!.contentOf(hash));
    this.#scheduler = new Scheduler({ blockSize, totalBlocks, maxSequences, maxBatchedTokens }, this.#events);
    this.kvEvents = {
      subscribe: (listener) => {
        this.#publish = listener;
      },
      snapshot: () => this.#events.snapshot(),
    };
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    if (signal.aborted) return;
    const mock = new MockRequest(request, this.card.blockSize, this.#owners);
    const abort = () => {
      this.#scheduler.abort(mock);
      mock.stop();
    };
    signal.addEventListener("abort", abort);
    this.#requests.add(mock);
    if (request.maxTokens === 0) mock.finishEmpty();
    else this.#scheduler.add(mock);
    this.#wake();
    try {
      yield* mock.deltas();
    } finally {
      signal.removeEventListener("abort", abort);
      abort();
      this.#requests.delete(mock);
      mock.forget();
    }
  }

  vocabulary() {
    return bytePieces;
  }

  stats(): EngineStats {
    const { running, waiting, kvUsage } = this.#scheduler;
    return { running, waiting, kvUsage };
  }

  async close(): Promise<void> {
    for (const request of this.#requests) request.stop();
  }

  #wake(): void {
    if (this.#isStepping) return;
    this.#isStepping = true;
    setImmediate(this.#step);
  }

  /** One step of the simulated GPU: begun now, finished when its time has passed. */
  readonly #step = (): void => {
    if (this.#scheduler.running + this.#scheduler.waiting === 0) {
      this.#isStepping = false;
      return;
    }
    const stepMs = stepTime(this.#timing, this.#scheduler.beginStep());
    const duration = this.#speedup === 0 ? 0 : stepMs / this.#speedup;
    const finish = () => {
      this.#scheduler.finishStep();
      const events = this.#events.take();
      if (events.length > 0) this.#publish(events);
      this.#step();
    };
    if (duration < 1) setImmediate(finish);
    else setTimeout(finish, duration);
  };
}

/** A request with its tokens, its answer's tokens, and the hashes of its blocks. */
class MockRequest implements ScheduledRequest {
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly #tokens: number[];
  readonly #blockSize: number;
  readonly #owners: Map<number, MockRequest>;
  readonly #hashes: number[] = [];
  readonly #indices = new Map<number, number>();
  readonly #ready: Delta[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(request: GenerateRequest, blockSize: number, owners: Map<number, MockRequest>) {
    this.promptTokens = request.tokens.length;
    this.maxTokens = request.maxTokens;
    this.#tokens = Array.from(request.tokens);
    this.#blockSize = blockSize;
    this.#owners = owners;
  }

  hashAt(index: number): number {
    for (let block = this.#hashes.length; block <= index; block++) {
      const start = block * this.#blockSize;
      const hash = nextHash(this.#hashes[block - 1] ?? 0, this.#tokens, start, start + this.#blockSize);
      this.#hashes.push(hash);
      this.#indices.set(hash, block);
    }
    const hash = this.#hashes[index]!;
    this.#owners.set(hash, this);
    return hash;
  }

  contentOf(hash: number) {
    const index = this.#indices.get(hash)!;
    const start = index * this.#blockSize;
    return {
      parent: this.#hashes[index - 1],
      tokenIds: Uint32Array.from(this.#tokens.slice(start, start + this.#blockSize)),
    };
  }

  onStart(cachedTokens: number): void {
    this.#push({ tokenIds: [], cachedTokens });
  }

  onToken(isLast: boolean): void {
    const token = ANSWER[(this.#tokens.length - this.promptTokens) % ANSWER.length]!;
    this.#tokens.push(token);
    this.#push({ tokenIds: [token], ...(isLast && { finish: "length" }) });
    if (isLast) this.stop();
  }

  finishEmpty(): void {
    this.#push({ tokenIds: [], cachedTokens: 0 });
    this.#push({ tokenIds: [], finish: "length" });
    this.stop();
  }

  stop(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Lets go of its hashes, but for those that another request has taken over. */
  forget(): void {
    for (const hash of this.#hashes) if (this.#owners.get(hash) === this) this.#owners.delete(hash);
  }

  async *deltas(): AsyncGenerator<Delta> {
    for (;;) {
      const delta = this.#ready.shift();
      if (delta !== undefined) yield delta;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #push(delta: Delta): void {
    this.#ready.push(delta);
    this.#wake?.();
  }
}

function describe(options: MockerOptions): ModelCard {
  const { contextLength = 131_072, blockSize = 64, totalBlocks = 16_384, maxBatchedTokens = 8192 } = options;
  return {
    name: options.modelName ?? "mocker",
    aliases: options.aliases ?? [],
    apis: ["chat", "completions"],
    role: "aggregated",
    // No request may need more blocks than there are.
    contextLength: Math.min(contextLength, totalBlocks * blockSize),
    blockSize,
    totalBlocks,
    maxBatchedTokens,
    maxSequences: options.sequences ?? 256,
    dataParallelSize: 1,
    ...tokenCard(options.tokenizer),
    features: { logprobs: false, logitBias: false, embeddings: false },
    engine: { name: "mocker", version: "1" },
    created: Math.floor(Date.now() / 1000),
  };
}
