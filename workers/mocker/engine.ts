import { setTimeout as sleep } from "node:timers/promises";
import { createLogger, type GenerateRequest, type KvEvent, type ModelCard } from "#runtime";
import { bytePieces, tokenizeBytes } from "../byte-tokens.ts";
import type { Delta, Engine, EngineStats, KvEventSource, Prefilled } from "../engine.ts";
import type { KvImport } from "../kv/types.ts";
import { MockAdapters } from "./adapters.ts";
import { mockerCard } from "./card.ts";
import { InjectedFaults } from "./faults/inject.ts";
import { checkPayload, mockPayload, transferMs } from "./kv.ts";
import type { MockerOptions } from "./options.ts";
import { Rank } from "./rank.ts";
import { H100_8B, stepTime } from "./timing.ts";

/**
 * An engine that computes nothing but behaves like vLLM on a GPU: paged blocks, prefix cache, continuous batching with
 * chunked prefill, preemption, real KV events, data-parallel ranks, and realistic step times. Faults can be injected.
 *
 * @throws RangeError for an unknown fault, or one without effect
 */
export function openMocker(options: MockerOptions = {}): Engine {
  return new Mocker(options);
}

class Mocker implements Engine {
  readonly card: ModelCard;
  readonly kvEvents: KvEventSource;
  readonly lora: MockAdapters;
  readonly tokenize = tokenizeBytes;
  readonly #options: MockerOptions;
  readonly #faults: InjectedFaults;
  readonly #ranks: Rank[];
  #publish: (events: KvEvent[], dataParallelRank: number) => void = () => {};

  constructor(options: MockerOptions) {
    const { timing = H100_8B, speedup = 1, faults = [], faultSeed: seed = 1, crash } = options;
    if (speedup === 0 && faults.some((fault) => /^slow\b/.test(fault)))
      throw new RangeError("The fault slow has no effect, because steps take no time at a speed-up of 0.");
    this.#options = options;
    const log = options.log ?? createLogger({ name: "mocker" });
    this.#faults = new InjectedFaults({ faults, seed, log, crash });
    this.card = mockerCard(options);
    this.lora = new MockAdapters(options.loras);
    this.#ranks = Array.from(
      { length: this.card.dataParallelSize },
      (_, index) =>
        new Rank({
          ...this.card,
          stepMs: (work) =>
            speedup === 0 ? 0 : (this.#faults.stepFactor() * stepTime(timing, work)) / speedup,
          onEvents: (events) => this.#publish(this.#faults.events(events, index), index),
        }),
    );
    this.kvEvents = {
      subscribe: (listener) => {
        this.#publish = listener;
      },
      snapshot: (index) => this.#ranks[index]!.snapshot(),
    };
  }

  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<Delta> {
    return this.#faults.answer(this.#answer(request, signal), signal);
  }

  async exportKv(request: GenerateRequest, signal: AbortSignal): Promise<Prefilled> {
    await this.#faults.beforeExport(signal);
    const one = { ...request, maxTokens: Math.min(request.maxTokens, 1) };
    let delta: Delta = { tokenIds: [] };
    for await (const next of this.generate(one, signal)) delta = { ...delta, ...next };
    signal.throwIfAborted();
    if (request.maxTokens <= 1) return { delta };
    const payload = mockPayload(request.tokens);
    const { finish: _, ...first } = delta;
    return {
      delta: first,
      kv: {
        tokens: request.tokens.length,
        bytes: payload.length,
        write: async (memory) => memory.set(payload),
        release: () => {},
      },
    };
  }

  async *importKv(request: GenerateRequest, kv: KvImport, signal: AbortSignal): AsyncGenerator<Delta> {
    checkPayload(await kv.read(), request.tokens.subarray(0, kv.tokens));
    await this.#faults.afterImport(kv.signal);
    const ms = transferMs(this.#options, kv.tokens);
    if (ms > 0) await sleep(ms, undefined, { signal: kv.signal }).catch(() => kv.signal.throwIfAborted());
    yield { tokenIds: [] };
    yield* this.#faults.answer(this.#answer(request, signal, kv.tokens), signal);
  }

  vocabulary() {
    return bytePieces;
  }

  stats(): EngineStats {
    const all = this.#ranks.map((rank) => rank.stats);
    const sum = (field: keyof EngineStats) => all.reduce((total, stats) => total + stats[field], 0);
    return { running: sum("running"), waiting: sum("waiting"), kvUsage: sum("kvUsage") / all.length };
  }

  async close(): Promise<void> {
    for (const rank of this.#ranks) rank.close();
  }

  async *#answer(
    request: GenerateRequest,
    signal: AbortSignal,
    importedTokens?: number,
  ): AsyncGenerator<Delta> {
    if (signal.aborted) return;
    if (request.maxTokens === 0) {
      yield { tokenIds: [], cachedTokens: 0, finish: "length" };
      return;
    }
    const rank = this.#rankFor(request);
    const mock = rank.add(request, importedTokens);
    const remove = () => rank.remove(mock);
    signal.addEventListener("abort", remove);
    try {
      yield* mock.answer.read();
    } finally {
      signal.removeEventListener("abort", remove);
      remove();
    }
  }

  /** The requested rank, else the least loaded one, the first on a tie. */
  #rankFor({ dataParallelRank }: GenerateRequest): Rank {
    if (dataParallelRank !== undefined) return this.#ranks[dataParallelRank]!;
    return this.#ranks.reduce((best, rank) => (load(rank) < load(best) ? rank : best));
  }
}

/** vLLM's weighting of ranks: a waiting request counts as four running ones. */
function load(rank: Rank): number {
  const { running, waiting } = rank.stats;
  return waiting * 4 + running;
}
