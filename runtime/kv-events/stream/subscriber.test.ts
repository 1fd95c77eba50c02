import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { turns } from "../../request-plane/testing.ts";
import type { Handler } from "../../request-plane/types.ts";
import { TestFollower, TestWorker } from "./testing.ts";
import type { KvEventStream, StreamListener } from "./types.ts";

// With a stream in memory, which loses and keeps what a test says. `../nats/nats.test.ts` has a real one.

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

/** The interval of a worker's word and of the subscriber's checks, in milliseconds. */
const BEAT_MS = 2_000;

class MemoryStream implements KvEventStream {
  isConnected = true;
  /** What a replay passes on. */
  kept: Uint8Array[] = [];
  replays = 0;
  readonly #worker: TestWorker;
  readonly #listeners = new Set<StreamListener>();

  constructor(worker: TestWorker) {
    this.#worker = worker;
  }

  epochOf(subject: string): string {
    return subject;
  }

  subscribe(_subject: string, listener: StreamListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async replay(_subject: string, onMessage: (message: Uint8Array) => void): Promise<void> {
    this.replays++;
    const kept = [...this.kept];
    await turns(1);
    if (!this.isConnected) throw new Error("the stream is unreachable");
    for (const message of kept) onMessage(message);
  }

  /** Delivers batches, from their numbers. */
  deliver(...numbers: number[]): void {
    for (const number of numbers) {
      const message = this.#worker.events.message(number);
      if (message === undefined || !this.isConnected) continue;
      for (const listener of this.#listeners) listener.onMessage(message);
    }
  }

  /** Keeps all batches from `from` on, after a snapshot if there are earlier ones. */
  keep(from: number, hasSnapshot: boolean): void {
    const { events } = this.#worker;
    const numbers = Array.from({ length: events.published - from }, (_, index) => from + index);
    this.kept = [
      ...(hasSnapshot ? events.snapshot().messages : []),
      ...numbers.flatMap((number) => events.message(number) ?? []),
    ];
  }

  /** The worker says how far it is. */
  beat(): void {
    if (this.isConnected)
      for (const listener of this.#listeners) listener.onHead(this.#worker.events.published);
  }

  connect(isConnected: boolean): void {
    if (this.isConnected === isConnected) return;
    this.isConnected = isConnected;
    for (const listener of this.#listeners) listener.onState(isConnected);
  }
}

async function following(ringSize = 4_096, answers?: (handler: Handler) => Handler, before = 0) {
  const worker = await TestWorker.start(ringSize, answers);
  worker.change(before);
  const stream = new MemoryStream(worker);
  stream.keep(0, false);
  const follower = new TestFollower(stream, worker.events.epoch, worker.client);
  await turns();
  return {
    worker,
    stream,
    follower,
    /** Publishes batches that the stream delivers. */
    change(batches: number) {
      const from = worker.events.published;
      worker.change(batches);
      stream.deliver(...Array.from({ length: batches }, (_, index) => from + index));
    },
    async [Symbol.asyncDispose]() {
      follower[Symbol.dispose]();
      await worker[Symbol.asyncDispose]();
    },
  };
}

describe("a subscriber to a stream", () => {
  test("asks the worker only while it lacks something", async () => {
    await using subject = await following();
    const { worker, stream, follower, change } = subject;
    change(10);
    expect(follower.known).toEqual(worker.cache);
    expect(worker.asked).toBe(0);
    worker.change(3);
    change(1);
    await turns();
    expect(follower.known).toEqual(worker.cache);
    expect(worker.asked).toBe(1);
    expect(follower.subscription.isLive).toBe(true);
    change(5);
    await turns();
    expect(follower.known).toEqual(worker.cache);
    expect([worker.asked, worker.events.subscribers]).toEqual([1, 0]);
    expect(follower.subscription.counters).toMatchObject({ gaps: 1, resets: 0 });
    stream.beat();
    expect(worker.asked).toBe(1);
  });

  test("notices the loss of the last batch by the worker's word", async () => {
    await using subject = await following();
    const { worker, stream, follower } = subject;
    worker.change(1);
    stream.beat();
    await turns();
    expect(follower.known).toEqual(worker.cache);
  });

  test("takes the events from the worker while the stream is unreachable, and goes back", async () => {
    await using subject = await following();
    const { worker, stream, follower, change } = subject;
    change(5);
    stream.connect(false);
    worker.change(20);
    await turns();
    expect(follower.known).toEqual(worker.cache);
    expect(follower.subscription.isLive).toBe(false);
    expect(follower.subscription.isFromWorker).toBe(true);
    stream.connect(true);
    await turns();
    // The worker may not have reached it yet.
    expect(follower.subscription.isLive).toBe(false);
    stream.beat();
    expect(follower.subscription.isLive).toBe(true);
    expect(follower.subscription.isFromWorker).toBe(false);
    change(5);
    expect(follower.known).toEqual(worker.cache);
    expect(follower.subscription.counters.resets).toBe(0);
  });

  test("takes them from a worker that does not reach the stream", async () => {
    await using subject = await following();
    const { worker, stream, follower, change } = subject;
    change(5);
    worker.change(5);
    vi.advanceTimersByTime(3 * BEAT_MS);
    await turns();
    expect(follower.known).toEqual(worker.cache);
    worker.change(5);
    await turns();
    expect(follower.known).toEqual(worker.cache);
    stream.beat();
    expect(follower.subscription.isLive).toBe(true);
  });

  test("applies what comes while it reads what is kept", async () => {
    const worker = await TestWorker.start(4_096);
    worker.change(10);
    const stream = new MemoryStream(worker);
    stream.keep(0, false);
    using follower = new TestFollower(stream, worker.events.epoch, worker.client);
    worker.change(3);
    stream.deliver(9, 10, 11, 12);
    await turns();
    expect(follower.known).toEqual(worker.cache);
    expect(worker.asked).toBe(0);
    await worker[Symbol.asyncDispose]();
  });

  test.each([
    ["without its end", (messages: Uint8Array[]) => messages.slice(0, -1)],
    ["without a part", (messages: Uint8Array[]) => messages.toSpliced(1, 1)],
    ["without its beginning", (messages: Uint8Array[]) => messages.slice(1)],
  ])("asks the worker instead of a snapshot %s", async (_, damage) => {
    const worker = await TestWorker.start(8);
    worker.change(300);
    const stream = new MemoryStream(worker);
    stream.keep(worker.events.published, true);
    stream.kept = damage(stream.kept);
    using follower = new TestFollower(stream, worker.events.epoch, worker.client);
    await turns();
    expect(worker.asked).toBe(1);
    expect(follower.known).toEqual(worker.cache);
    await worker[Symbol.asyncDispose]();
  });

  const silent = (): Handler => (_payload, call) =>
    new Promise((resolve) => call.signal.addEventListener("abort", () => resolve()));

  test("reads the stream's snapshot if the worker does not answer", async () => {
    await using subject = await following(64, silent);
    const { worker, stream, follower } = subject;
    worker.change(200);
    stream.keep(worker.events.published - 10, true);
    stream.beat();
    await turns();
    expect(worker.asked).toBe(1);
    vi.advanceTimersByTime(2 * BEAT_MS);
    await turns();
    expect(follower.known).toEqual(worker.cache);
    expect(follower.subscription.isLive).toBe(true);
  });

  test("forgets everything if neither has what is missing, until the worker answers", async () => {
    let isSilent = true;
    await using subject = await following(64, (handler) => (payload, call) => {
      return isSilent ? silent()(payload, call) : handler(payload, call);
    });
    const { worker, stream, follower, change } = subject;
    change(10);
    worker.change(200);
    stream.keep(worker.events.published - 10, false);
    stream.beat();
    vi.advanceTimersByTime(2 * BEAT_MS);
    await turns();
    expect(follower.known.size).toBe(0);
    expect(follower.subscription.counters.resets).toBe(1);
    isSilent = false;
    vi.advanceTimersByTime(BEAT_MS);
    await turns();
    expect(follower.known).toEqual(worker.cache);
    stream.beat();
    expect(follower.subscription.isLive).toBe(true);
  });

  type Step =
    | { readonly kind: "change" | "lose" | "late"; readonly batches: number }
    | { readonly kind: "connect"; readonly isConnected: boolean }
    | { readonly kind: "repeat"; readonly back: number }
    | { readonly kind: "beat" | "wait" | "turn" };
  const batches = fc.integer({ min: 1, max: 40 });
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constantFrom("change", "lose", "late"), batches }),
      fc.record({ kind: fc.constant("connect"), isConnected: fc.boolean() }),
      fc.record({ kind: fc.constant("repeat"), back: batches }),
      fc.record({ kind: fc.constantFrom("beat", "wait", "turn") }),
    ),
    { maxLength: 40 },
  ) as fc.Arbitrary<Step[]>;

  test("knows the cache exactly in the end, whatever is lost, late or repeated", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 64 }), async (all, ringSize) => {
        await using subject = await following(ringSize, undefined, 5);
        const { worker, stream, follower, change } = subject;
        const late: number[] = [];
        for (const step of all) {
          const next = worker.events.published;
          if (step.kind === "change") change(step.batches);
          if (step.kind === "lose" || step.kind === "late") worker.change(step.batches);
          if (step.kind === "late") late.push(next);
          if (step.kind === "connect") stream.connect(step.isConnected);
          if (step.kind === "repeat") stream.deliver(next - step.back, ...late.splice(0));
          if (step.kind === "beat") stream.beat();
          if (step.kind === "wait") vi.advanceTimersByTime(BEAT_MS);
          if (step.kind === "turn") await turns(2);
        }
        stream.connect(true);
        for (let round = 0; round < 5; round++) {
          stream.beat();
          await turns();
          vi.advanceTimersByTime(BEAT_MS);
        }
        expect(follower.known).toEqual(worker.cache);
        expect(follower.subscription.isLive).toBe(true);
      }),
    );
  });
});
