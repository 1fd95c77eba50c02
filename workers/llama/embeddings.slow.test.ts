import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, LlamaLogLevel, type Token } from "node-llama-cpp";
import { expect, test } from "vitest";
import { embedWith } from "./embeddings.ts";
import { MEAN, poolingModel } from "./test-pooling-model.ts";

test("an input is pooled as a whole, although llama.cpp computes 512 tokens at once by default", async () => {
  const folder = await mkdtemp(join(tmpdir(), "stator-test-"));
  const modelPath = await poolingModel(folder, MEAN);
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
  const never = new AbortController().signal;
  const options = { threads: 1, contextLength: 700 };
  const [vector] = await embedWith(model, options, [Uint32Array.from(input)], never);
  expect(cosine(Array.from(vector!), await vectorOf(768))).toBeCloseTo(1, 4);
  expect(cosine(Array.from(vector!), await vectorOf(512))).toBeLessThan(0.99);
  await llama.dispose();
  await rm(folder, { recursive: true });
});

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, index) => sum + value * y[index]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
