import { expect, test } from "vitest";
import type { MediumPart, RowsPart } from "../medium-parts.ts";
import { BATCH_SIZE } from "./batch-memory.ts";
import type { StepContext } from "./native-context.ts";
import { Scheduler } from "./scheduler.ts";
import { Work, type WorkOptions } from "./work.ts";

/** A step: [sequence, position, token] of each token, or of a medium [sequence, position, "rows", from]. */
type Step = readonly (readonly (number | string)[])[];

/** A model that answers 100, 101, …, and says what it computed. */
class FakeContext implements StepContext {
  readonly steps: Step[] = [];
  #next: (readonly number[])[] = [];
  /** Called before each step. */
  onStep: (step: Step) => void = () => {};

  get size(): number {
    return this.#next.length;
  }

  add(token: number, position: number, sequence: number): number {
    return this.#next.push([sequence, position, token]) - 1;
  }

  async decode(): Promise<void> {
    this.#compute(this.#next);
  }

  setThreads(): void {}

  async decodeRows(_: RowsPart, from: number, start: number, sequence: number): Promise<void> {
    this.#compute([[sequence, start, "rows", from]]);
  }

  #compute(step: Step): void {
    this.#next = [];
    this.steps.push(step);
    this.onStep(step);
  }
}

const schedulerOf = (context: StepContext) =>
  new Scheduler(context, () => ({ take: async () => ({ threads: 1, free() {} }), leave() {} }));

const END = 999;
const text = (length: number, first = 1): MediumPart => ({
  kind: "text",
  tokens: Int32Array.from({ length }, (_, index) => first + index),
});
const rows = (count: number, positions = count): MediumPart => ({
  ...{ kind: "rows", count, positions, isCausal: true, embeddings: new Float32Array() },
});

function workOf(sequence: number, parts: readonly MediumPart[], more: Partial<WorkOptions> = {}) {
  const tokens: number[] = [];
  let next = 100;
  const work = new Work({
    ...{ sequence, parts, position: 0, maxTokens: 3, logprobs: undefined },
    signal: new AbortController().signal,
    sampler: { sample: async () => ({ id: next++ }) },
    isEnd: (token) => token === END,
    onToken: ({ id }) => tokens.push(id),
    ...more,
  });
  return { work, tokens };
}

test("computes a prompt's parts in order, media alone, and its answer token by token", async () => {
  const context = new FakeContext();
  const { work, tokens } = workOf(7, [text(2), rows(600, 20), text(1, 50)], { position: 5 });
  expect(await schedulerOf(context).run(work)).toEqual({ finish: "length" });
  expect(tokens).toEqual([100, 101, 102]);
  const expected: Step[] = [
    ...[[[7, 5, 1] as const, [7, 6, 2] as const], [[7, 7, "rows", 0] as const]],
    ...[[[7, 7, "rows", BATCH_SIZE] as const], [[7, 27, 50] as const]],
    ...[[[7, 28, 100] as const], [[7, 29, 101] as const]],
  ];
  expect(context.steps).toEqual(expected);
  expect(work.position).toBe(30);
});

test("answers after a medium that ends the prompt", async () => {
  const context = new FakeContext();
  const { work, tokens } = workOf(0, [rows(3)], { maxTokens: 1 });
  expect(await schedulerOf(context).run(work)).toEqual({ finish: "length" });
  expect(tokens).toEqual([100]);
});

test("ends at a token that ends answers, which is not one of the answer's", async () => {
  const { work, tokens } = workOf(0, [text(1)], { isEnd: (token) => token === 101 });
  expect(await schedulerOf(new FakeContext()).run(work)).toEqual({ finish: "stop", stopToken: 101 });
  expect(tokens).toEqual([100]);
});

test("computes answers together, and prompts in small parts meanwhile", async () => {
  const context = new FakeContext();
  const scheduler = schedulerOf(context);
  const [first, second] = [workOf(0, [text(4)], { maxTokens: 6 }), workOf(1, [text(300)])];
  const ends = [scheduler.run(first.work)];
  context.onStep = () => {
    if (context.steps.length === 1) ends.push(scheduler.run(second.work));
  };
  await ends[0];
  await ends[1];
  const shares = context.steps.map((step) =>
    [0, 1].map((sequence) => step.filter(([of]) => of === sequence).length),
  );
  expect(shares).toEqual([
    ...[
      [4, 0],
      [1, 128],
      [1, 128],
      [1, 44],
    ],
    ...[
      [1, 1],
      [1, 1],
    ],
  ]);
  expect(second.tokens).toHaveLength(3);
});

test("ends a cancelled answer at the next step; others go on", async () => {
  const context = new FakeContext();
  const scheduler = schedulerOf(context);
  const leaving = new AbortController();
  const cancelled = workOf(0, [text(1)], { maxTokens: 1_000, signal: leaving.signal });
  const other = workOf(1, [text(1)], { maxTokens: 5 });
  context.onStep = () => {
    if (context.steps.length === 2) leaving.abort();
  };
  const ends = await Promise.all([scheduler.run(cancelled.work), scheduler.run(other.work)]);
  expect(ends).toEqual([{ finish: "length" }, { finish: "length" }]);
  expect([cancelled.tokens.length, other.tokens.length]).toEqual([2, 5]);
});

test("fails those whose step fails, and computes the others", async () => {
  const context = new FakeContext();
  const scheduler = schedulerOf(context);
  context.onStep = (step) => {
    if (step[0]![2] === "rows") throw new Error("no memory");
  };
  const [failing, other] = [workOf(0, [rows(2)]), workOf(1, [text(2)])];
  const ends = await Promise.allSettled([scheduler.run(failing.work), scheduler.run(other.work)]);
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  expect(await scheduler.run(workOf(0, [text(1)]).work)).toEqual({ finish: "length" });
});

test("lets others use the context only between steps", async () => {
  const context = new FakeContext();
  const scheduler = schedulerOf(context);
  let isComputing = false;
  context.decode = async () => {
    isComputing = true;
    await new Promise(setImmediate);
    isComputing = false;
  };
  const running = scheduler.run(workOf(0, [text(1)]).work);
  const seen = [];
  for (let turn = 0; turn < 3; turn++) seen.push(await scheduler.exclusively(() => isComputing));
  expect(seen).toEqual([false, false, false]);
  await running;
});

test("has threads for each step, and wants none once nothing runs", async () => {
  const events: string[] = [];
  const context = new FakeContext();
  context.setThreads = (count?: number) => events.push(`use ${count}`);
  context.onStep = () => events.push("step");
  const consumer = {
    take: async () => ({ threads: 3, free: () => events.push("free") }),
    leave: () => events.push("leave"),
  };
  const scheduler = new Scheduler(context, () => consumer);
  await scheduler.run(workOf(0, [text(1)], { maxTokens: 2 }).work);
  await scheduler.exclusively(() => {});
  await new Promise(setImmediate);
  expect(events).toEqual(["use 3", "step", "free", "use 3", "step", "free", "leave"]);
});

test("fails what runs if it gets no threads, and computes later", async () => {
  let hasThreads = false;
  const consumer = {
    async take() {
      if (!hasThreads) throw new Error("no threads");
      return { threads: 1, free() {} };
    },
    leave() {},
  };
  const scheduler = new Scheduler(new FakeContext(), () => consumer);
  await expect(scheduler.run(workOf(0, [text(1)]).work)).rejects.toThrow("no threads");
  hasThreads = true;
  expect(await scheduler.run(workOf(0, [text(1)]).work)).toEqual({ finish: "length" });
});
