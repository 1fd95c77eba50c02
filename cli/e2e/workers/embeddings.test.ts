import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { openLlama } from "../../../workers/llama/open.ts";
import { MEAN, poolingModel } from "../../../workers/llama/test-pooling-model.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

/** A real model in llama.cpp, made an embedding model, behind a gateway. */
let folder: string;
let gateway: OwnGateway;
let openai: OpenAI;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
  const modelPath = await poolingModel(folder, MEAN);
  const log = createLogger({ name: "test", level: "error" });
  const llama = await openLlama({ modelPath, modelName: "embedder", threads: 1, contextLength: 512, log });
  gateway = await startOwnGateway({ llama });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "none", maxRetries: 0 });
});

afterAll(() => rm(folder, { recursive: true }));

const model = "embedder";
const CAT = "The cat sat on the mat.";
const STOCKS = "Stock markets fell sharply today.";

const embed = async (input: string | string[], more: object = {}) =>
  (await openai.embeddings.create({ model, input, ...more })).data.map(({ embedding }) => embedding);

async function refusal(path: string, body: object) {
  const response = await gateway.post(path, { model, ...body });
  const { error } = await response.json();
  return { status: response.status, ...error };
}

const norm = (vector: readonly number[]) => Math.hypot(...vector);

describe("/v1/embeddings", () => {
  test("answers OpenAI's client, which asks for base64, as if it had asked for numbers", async () => {
    const encoded = await embed([CAT, STOCKS]);
    const numbers = await embed([CAT, STOCKS], { encoding_format: "float" });
    expect(encoded[0]).toHaveLength(576);
    expect(encoded.map((vector) => Array.from(vector))).toEqual(numbers);
    const raw = await (await gateway.post("/v1/embeddings", { model, input: CAT })).json();
    expect(raw.data[0].embedding).toEqual(numbers[0]);
  });

  test.each([
    ["numbers", { encoding_format: "float" }],
    ["base64", {}],
  ])("shortens vectors to unit length, as %s", async (_, format) => {
    const [whole] = await embed(CAT, { encoding_format: "float" });
    const [short] = await embed(CAT, { ...format, dimensions: 64 });
    expect(short).toHaveLength(64);
    expect(norm(short!)).toBeCloseTo(1, 5);
    const first = whole!.slice(0, 64);
    for (const [index, value] of first.entries()) expect(short![index]).toBeCloseTo(value / norm(first), 5);
  });

  test("refuses more dimensions than the model has, with its size", async () => {
    expect(await refusal("/v1/embeddings", { input: CAT, dimensions: 577 })).toMatchObject({
      status: 400,
      param: "dimensions",
      code: "invalid_value",
      message: expect.stringMatching(/have 576 dimensions.*at most 576/),
    });
    expect((await embed(CAT, { dimensions: 576 }))[0]).toHaveLength(576);
    expect(await refusal("/v1/embeddings", { input: CAT, dimensions: 0 })).toMatchObject({
      param: "dimensions",
    });
  });

  test("names the input that is too long", async () => {
    const long = "word ".repeat(600);
    expect(await refusal("/v1/embeddings", { input: [CAT, long] })).toMatchObject({
      status: 400,
      param: "input[1]",
      code: "context_length_exceeded",
    });
    expect(await refusal("/v1/embeddings", { input: long })).toMatchObject({ param: "input" });
    expect(await refusal("/v1/embeddings", { input: [long] })).toMatchObject({ param: "input[0]" });
  });
});
