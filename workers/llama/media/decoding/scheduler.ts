import type { ThreadConsumer } from "../../thread-shares.ts";
import { BATCH_SIZE } from "./batch-memory.ts";
import type { StepContext } from "./native-context.ts";
import type { AnswerEnd, Work } from "./work.ts";

/** Prompt tokens computed at once while other sequences generate; their tokens wait meanwhile. */
const SHARED_PREFILL_CHUNK = 128;

interface Running {
  readonly work: Work;
  end(end: AnswerEnd): void;
  fail(error: unknown): void;
}

/** Computes all prompts and answers of a context together, step by step. */
export class Scheduler {
  readonly #native: StepContext;
  readonly #threads: () => ThreadConsumer;
  readonly #running = new Set<Running>();
  /** Settles when the context is free. */
  #turn: Promise<unknown> = Promise.resolve();
  #isStepping = false;

  /** @param threads called whenever it begins to compute */
  constructor(native: StepContext, threads: () => ThreadConsumer) {
    this.#native = native;
    this.#threads = threads;
  }

  /** @returns how the answer ended; `length` if it was cancelled. @throws Error if llama.cpp fails */
  run(work: Work): Promise<AnswerEnd> {
    const { promise, resolve, reject } = Promise.withResolvers<AnswerEnd>();
    this.#running.add({ work, end: resolve, fail: reject });
    if (!this.#isStepping) void this.#steps();
    return promise;
  }

  /** Does something with the context between two steps. */
  exclusively<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #steps(): Promise<void> {
    this.#isStepping = true;
    let threads: ThreadConsumer | undefined;
    try {
      const consumer = this.#threads();
      threads = consumer;
      while (this.#running.size > 0) await this.exclusively(() => this.#step(consumer));
    } catch (error) {
      for (const { fail } of this.#running) fail(error);
      this.#running.clear();
    } finally {
      threads?.leave();
      this.#isStepping = false;
    }
  }

  async #step(consumer: ThreadConsumer): Promise<void> {
    const { threads, free } = await consumer.take();
    this.#native.setThreads(threads);
    try {
      await this.#compute();
    } finally {
      free();
    }
  }

  async #compute(): Promise<void> {
    for (const each of this.#running) if (each.work.isCancelled) this.#end(each, { finish: "length" });
    await this.#computeTokens();
    await this.#computeRows();
  }

  /** A token of each answer, and tokens of prompts. */
  async #computeTokens(): Promise<void> {
    const chosen: [Running, number][] = [];
    const taking: Running[] = [];
    const add = (each: Running, take: (work: Work) => number | undefined) => {
      const before = this.#native.size;
      const index = take(each.work);
      if (this.#native.size > before) taking.push(each);
      if (index !== undefined) chosen.push([each, index]);
    };
    for (const each of this.#running)
      if (this.#native.size < BATCH_SIZE) add(each, (work) => work.addToken(this.#native));
    const answers = this.#native.size;
    const limit = answers === 0 ? BATCH_SIZE : Math.min(BATCH_SIZE, answers + SHARED_PREFILL_CHUNK);
    for (const each of this.#running)
      if (!taking.includes(each)) add(each, (work) => work.addText(this.#native, limit));
    if (taking.length === 0) return;
    await this.#attempt(taking, async () => {
      await this.#native.decode();
      for (const [each, index] of chosen) await this.#choose(each, index);
    });
  }

  /** Rows of one medium. */
  async #computeRows(): Promise<void> {
    for (const each of this.#running) {
      const { rows } = each.work;
      if (rows === undefined) continue;
      await this.#attempt([each], async () => {
        const index = await each.work.decodeRows(this.#native, rows);
        if (index !== undefined) await this.#choose(each, index);
      });
      return;
    }
  }

  async #choose(each: Running, index: number): Promise<void> {
    const end = await each.work.choose(index);
    if (end !== undefined) this.#end(each, end);
  }

  #end(each: Running, end: AnswerEnd): void {
    this.#running.delete(each);
    each.end(end);
  }

  async #attempt(taking: readonly Running[], compute: () => Promise<void>): Promise<void> {
    try {
      await compute();
    } catch (error) {
      for (const each of taking) {
        this.#running.delete(each);
        each.fail(error);
      }
    }
  }
}
