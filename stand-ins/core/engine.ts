import type { KvEvent } from "#runtime";
import type { StandInOptions } from "./options.ts";
import { StandInRank } from "./rank.ts";
import type { BlockContent, GeneratedToken, Generation, Sequence } from "./sequence.ts";

/** An accepted request. */
export interface Running {
  /** Prompt tokens found in the cache; known with the first token. */
  readonly cachedTokens: number;
  /** The tokens, as they are generated. Leaving the loop ends the request. */
  tokens(): AsyncGenerator<GeneratedToken>;
}

/** The engine behind the stand-ins' servers: the model, and a simulated GPU for each rank. */
export class StandInEngine {
  readonly blockSize: number;
  readonly totalBlocks: number;
  readonly contextLength: number;
  readonly ranks: readonly StandInRank[];
  readonly startedAt = Date.now() / 1000;
  readonly #listeners: ((rank: number, events: KvEvent[]) => void)[] = [];
  /** Receives each finished sequence's last block, which is partial and therefore not in the prefix cache. */
  onTail: ((rank: number, tail: BlockContent) => void) | undefined;

  constructor(options: StandInOptions) {
    this.blockSize = options.blockSize ?? 16;
    this.totalBlocks = options.totalBlocks ?? 4096;
    this.contextLength = options.contextLength ?? 8192;
    this.ranks = Array.from({ length: options.ranks ?? 1 }, (_, rank) => {
      return new StandInRank({
        blockSize: this.blockSize,
        totalBlocks: this.totalBlocks,
        maxSequences: options.maxSequences ?? 64,
        maxBatchedTokens: 8192,
        prefixCaching: options.prefixCaching ?? true,
        interTokenMs: options.interTokenMs ?? 0,
        prefillTokensPerSecond: options.prefillTokensPerSecond ?? Number.POSITIVE_INFINITY,
        onEvents: (events) => {
          for (const listener of this.#listeners) listener(rank, events);
        },
      });
    });
  }

  /** Calls the listener with each batch of KV events. */
  subscribe(listener: (rank: number, events: KvEvent[]) => void): void {
    this.#listeners.push(listener);
  }

  /** @throws RangeError if the request needs more blocks than there are */
  generate(generation: Generation, signal: AbortSignal): Running {
    const rank = this.ranks[generation.rank ?? -1] ?? this.#leastBusy();
    const sequence = rank.add(generation);
    return {
      get cachedTokens() {
        return sequence.cachedTokens;
      },
      tokens: () => readTokens(rank, sequence, signal, () => this.#finish(rank, sequence)),
    };
  }

  /** The sum over the ranks. */
  sum(value: (rank: StandInRank) => number): number {
    return this.ranks.reduce((sum, rank) => sum + value(rank), 0);
  }

  #finish(rank: StandInRank, sequence: Sequence): void {
    rank.counters.finished++;
    this.onTail?.(this.ranks.indexOf(rank), sequence.tail());
  }

  #leastBusy(): StandInRank {
    const load = (rank: StandInRank) => rank.running + rank.waiting;
    return this.ranks.reduce((best, rank) => (load(rank) < load(best) ? rank : best));
  }
}

async function* readTokens(
  rank: StandInRank,
  sequence: Sequence,
  signal: AbortSignal,
  onFinished: () => void,
): AsyncGenerator<GeneratedToken> {
  const ready: GeneratedToken[] = [];
  let wake = () => {};
  sequence.onGenerated = (token) => {
    rank.counters.generatedTokens++;
    ready.push(token);
    wake();
  };
  const abort = () => wake();
  signal.addEventListener("abort", abort);
  try {
    while (!signal.aborted) {
      const token = ready.shift();
      if (token === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if (token.finish !== undefined) onFinished();
      yield token;
      if (token.finish !== undefined) return;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    rank.remove(sequence);
  }
}
