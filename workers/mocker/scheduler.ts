import { type Block, type BlockListener, BlockPool } from "./block-pool.ts";
import type { StepWork } from "./timing.ts";

export interface SchedulerOptions {
  /** Tokens per block. */
  blockSize: number;
  totalBlocks: number;
  /** Concurrent requests. */
  maxSequences: number;
  /** Tokens per step, prompt and output together. */
  maxBatchedTokens: number;
  /** Whether prefix caching is on. Default true. */
  prefixCaching?: boolean;
}

/** A request as the scheduler sees it: lengths and hashes, no tokens. */
export interface ScheduledRequest {
  /** Tokens of the prompt. */
  promptTokens: number;
  /** Tokens to generate. */
  maxTokens: number;
  /** Tokens of the prompt, at its beginning, whose KV another worker has computed: fewer than the prompt has. */
  importedTokens?: number;
  /** Sequence hash of block `index`, once all its tokens are known. */
  hashAt(index: number): number;
  /** Called with the prompt tokens found in the cache when the request is first scheduled. */
  onStart?(cachedTokens: number): void;
  /** Called after each step in which the request got a token; `isLast` with its last one. */
  onToken(isLast: boolean): void;
}

interface Sequence {
  readonly request: ScheduledRequest;
  readonly blocks: Block[];
  /** Blocks marked as full. */
  filled: number;
  /** Computed tokens. */
  computed: number;
  /** Known prompt and output tokens. */
  length: number;
  started: boolean;
}

/**
 * vLLM's scheduling, step by step: first running requests, each with one token or the next chunk of its prompt; then
 * waiting ones, first come first served, while tokens, blocks and slots last. When blocks run out, the latest request
 * is preempted: it releases all its blocks and waits at the front.
 */
export class Scheduler {
  readonly pool: BlockPool;
  readonly #options: SchedulerOptions;
  readonly #running: Sequence[] = [];
  readonly #waiting: Sequence[] = [];
  readonly #sequences = new Map<ScheduledRequest, Sequence>();
  /** Tokens of each sequence in the current step. */
  #step: { sequence: Sequence; tokens: number }[] = [];
  preemptions = 0;

  constructor(options: SchedulerOptions, listener: BlockListener) {
    this.#options = options;
    this.pool = new BlockPool(options.totalBlocks, listener);
  }

  get running(): number {
    return this.#running.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Share of the blocks in use, 0 to 1. */
  get kvUsage(): number {
    return 1 - this.pool.freeCount / this.pool.total;
  }

  /** @throws RangeError for a request that needs more blocks than there are */
  add(request: ScheduledRequest): void {
    const blocks = Math.ceil((request.promptTokens + request.maxTokens) / this.#options.blockSize);
    if (blocks > this.pool.total)
      throw new RangeError(`The request needs ${blocks} blocks of ${this.pool.total}.`);
    const sequence: Sequence = {
      request,
      blocks: [],
      filled: 0,
      computed: 0,
      length: request.promptTokens,
      started: false,
    };
    this.#sequences.set(request, sequence);
    this.#waiting.push(sequence);
  }

  /** Aborts a request. */
  abort(request: ScheduledRequest): void {
    const sequence = this.#sequences.get(request);
    if (sequence !== undefined) this.#end(sequence);
  }

  /** Begins a step and returns its work. Call `finishStep` after its duration. */
  beginStep(): StepWork {
    this.#step = [];
    let budget = this.#options.maxBatchedTokens;
    budget = this.#scheduleRunning(budget);
    // Right after a preemption there is no room for new requests.
    if (this.#waiting.length > 0) this.#scheduleWaiting(budget);
    return this.#describe();
  }

  /** Ends the step: fills blocks, and gives the next token to requests whose tokens are all evaluated. */
  finishStep(): void {
    for (const { sequence, tokens } of this.#step) {
      // It may have ended, or been preempted, since.
      if (!this.#running.includes(sequence)) continue;
      sequence.computed += tokens;
      this.#fill(sequence);
      if (sequence.computed < sequence.length) continue;
      sequence.length++;
      const isLast = sequence.length - sequence.request.promptTokens >= sequence.request.maxTokens;
      if (isLast) this.#end(sequence);
      sequence.request.onToken(isLast);
    }
    this.#step = [];
  }

  #scheduleRunning(limit: number): number {
    let budget = limit;
    for (let index = 0; index < this.#running.length && budget > 0; index++) {
      const sequence = this.#running[index]!;
      const tokens = Math.min(sequence.length - sequence.computed, budget);
      while (!this.#grow(sequence, sequence.computed + tokens)) {
        const victim = this.#running.at(-1)!;
        this.#preempt(victim);
        if (victim === sequence) break;
      }
      if (this.#running[index] !== sequence) break;
      this.#step.push({ sequence, tokens });
      budget -= tokens;
    }
    return budget;
  }

  #scheduleWaiting(limit: number): void {
    let budget = limit;
    const preemptions = this.preemptions;
    while (this.#waiting.length > 0 && budget > 0 && this.#running.length < this.#options.maxSequences) {
      const sequence = this.#waiting[0]!;
      if (!this.#admit(sequence, budget) || this.preemptions > preemptions) return;
      const { tokens } = this.#step.at(-1)!;
      budget -= tokens;
    }
  }

  /** Admits the first waiting sequence, with its cached prefix, if there are blocks for its next tokens. */
  #admit(sequence: Sequence, budget: number): boolean {
    const { request } = sequence;
    const { blockSize } = this.#options;
    const hashes = this.#knownHashes(sequence);
    // The last token is always evaluated: its logits give the next one.
    const limit = Math.floor((sequence.length - 1) / blockSize);
    const cached = this.#options.prefixCaching === false ? 0 : this.pool.cachedPrefix(hashes, limit);
    // After a preemption, imported KV is gone.
    const imported = sequence.started ? 0 : (request.importedTokens ?? 0);
    const computed = Math.max(cached * blockSize, imported);
    const tokens = Math.min(sequence.length - computed, budget);
    const needed = Math.ceil((computed + tokens) / blockSize) - cached;
    if (needed + this.pool.idlePrefix(hashes, cached) > this.pool.freeCount) return false;
    for (let index = 0; index < cached; index++) sequence.blocks.push(this.pool.share(hashes[index]!));
    sequence.filled = cached;
    sequence.computed = computed;
    this.#grow(sequence, computed + tokens);
    this.#fill(sequence);
    this.#waiting.shift();
    this.#running.push(sequence);
    this.#step.push({ sequence, tokens });
    if (!sequence.started) request.onStart?.(Math.min(cached * blockSize, request.promptTokens));
    sequence.started = true;
    return true;
  }

  #knownHashes(sequence: Sequence): number[] {
    const whole = Math.floor(sequence.length / this.#options.blockSize);
    return Array.from({ length: whole }, (_, index) => sequence.request.hashAt(index));
  }

  /** Ensures blocks for this many tokens. */
  #grow(sequence: Sequence, tokens: number): boolean {
    const needed = Math.ceil(tokens / this.#options.blockSize) - sequence.blocks.length;
    if (needed > this.pool.freeCount) return false;
    for (let count = 0; count < needed; count++) sequence.blocks.push(this.pool.take()!);
    return true;
  }

  #fill(sequence: Sequence): void {
    if (this.#options.prefixCaching === false) return;
    const whole = Math.floor(sequence.computed / this.#options.blockSize);
    for (; sequence.filled < whole; sequence.filled++) {
      this.pool.fill(sequence.blocks[sequence.filled]!, sequence.request.hashAt(sequence.filled));
    }
  }

  #preempt(sequence: Sequence): void {
    this.preemptions++;
    this.#leave(this.#running, sequence);
    this.#step = this.#step.filter((entry) => entry.sequence !== sequence);
    this.#waiting.unshift(sequence);
  }

  #end(sequence: Sequence): void {
    this.#sequences.delete(sequence.request);
    this.#leave(this.#running.includes(sequence) ? this.#running : this.#waiting, sequence);
  }

  #leave(list: Sequence[], sequence: Sequence): void {
    list.splice(list.indexOf(sequence), 1);
    this.pool.release(sequence.blocks);
    sequence.blocks.length = 0;
    sequence.filled = 0;
    sequence.computed = 0;
  }

  #describe(): StepWork {
    const work: StepWork = { prefillTokens: 0, prefillPairs: 0, decodes: 0, contextTokens: 0 };
    for (const { sequence, tokens } of this.#step) {
      const isDecode =
        tokens === 1 &&
        sequence.computed === sequence.length - 1 &&
        (sequence.length > sequence.request.promptTokens || sequence.request.importedTokens !== undefined);
      if (isDecode) {
        work.decodes++;
        work.contextTokens += sequence.length;
      } else {
        work.prefillTokens += tokens;
        work.prefillPairs += tokens * sequence.computed + (tokens * (tokens - 1)) / 2;
      }
    }
    return work;
  }
}
