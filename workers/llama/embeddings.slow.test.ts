import { getLlama, LlamaLogLevel, type Token } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import type { Engine } from "../engine.ts";
import { embedWith, longestInput } from "./embeddings.ts";
import { openLlama } from "./open.ts";
import { MEAN, poolingModel, RANK } from "./test-pooling-model.ts";

const log = createLogger({ name: "test", level: "error" });
const never = new AbortController().signal;

describe("an embedding model", () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await openLlama({
      modelPath: await poolingModel(temporaryFolder(), MEAN),
      contextLength: 256,
      threads: 1,
      log,
    });
  });

  afterAll(() => engine.close());

  test("says so and returns meaningful vectors", async () => {
    expect(engine.card.apis).toEqual(["embeddings"]);
    const texts = [
      "The cat sat on the mat.",
      "A cat was sitting on a mat.",
      "Stock markets fell sharply today.",
    ];
    const inputs = await Promise.all(texts.map((text) => engine.tokenize!(text)));
    const [cat, sitting, stocks] = await engine.embed!(inputs, never);
    expect(cat!.length).toBe(576);
    expect(cosine(cat!, sitting!)).toBeGreaterThan(cosine(cat!, stocks!));
    expect(Math.hypot(...cat!)).toBeCloseTo(1, 5);
    await expect(engine.embed!(inputs, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  });

  test("takes inputs as long as its card says", async () => {
    expect(engine.card.contextLength).toBe(256);
    const longest = new Uint32Array(256).fill(100);
    expect((await engine.embed!([longest], never))[0]).toHaveLength(576);
    // Two places of what the model was trained with stay free.
    expect(longestInput({ trainContextSize: 512 }, 4096)).toBe(510);
  });
});

test("a reranker is refused with a sentence", async () => {
  const modelPath = await poolingModel(temporaryFolder(), RANK);
  await expect(openLlama({ modelPath, threads: 1, contextLength: 512, log })).rejects.toThrow(
    /is a reranker .* Use an embedding model/,
  );
});

test("an input is pooled as a whole, although llama.cpp computes 512 tokens at once by default", async () => {
  const modelPath = await poolingModel(temporaryFolder(), MEAN);
  const logLevel = LlamaLogLevel.error;
  const llama = await getLlama({ build: "never", gpu: false, maxThreads: 1, progressLogs: false, logLevel });
  const model = await llama.loadModel({ modelPath });
  const input = model.tokenize(`${"dog ".repeat(500)}${"stock market ".repeat(12)}`);
  expect(input.length).toBeGreaterThan(512);
  const vectorOf = async (batchSize: number) => {
    const context = await model.createEmbeddingContext({ threads: 1, contextSize: 768, batchSize });
    const { vector } = await context.getEmbeddingFor(Array.from(input) as Token[]);
    await context.dispose();
    return vector;
  };
  const options = { threads: 1, contextLength: 700 };
  const [vector] = await embedWith(model, options, [Uint32Array.from(input)], never);
  expect(cosine(Array.from(vector!), await vectorOf(768))).toBeCloseTo(1, 4);
  expect(cosine(Array.from(vector!), await vectorOf(512))).toBeLessThan(0.99);
  await llama.dispose();
});

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value, index) => sum + value * y[index]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
