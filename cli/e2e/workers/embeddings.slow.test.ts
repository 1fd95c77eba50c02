import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { openEcho } from "../../../workers/echo/engine.ts";
import { openLlama } from "../../../workers/llama/open.ts";
import { MEAN, poolingModel } from "../../../workers/llama/test-pooling-model.ts";
import { metric } from "../metrics.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

/** A real model in llama.cpp, made an embedding model, behind a gateway: its vectors, and the scores made of them. */
let folder: string;
let gateway: OwnGateway;
let openai: OpenAI;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
  const modelPath = await poolingModel(folder, MEAN);
  const log = createLogger({ name: "test", level: "error" });
  const llama = await openLlama({ modelPath, modelName: "embedder", threads: 1, contextLength: 512, log });
  gateway = await startOwnGateway({ llama, echo: openEcho() });
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

const ask = async (path: string, body: object) => (await gateway.post(path, { model, ...body })).json();

/** The cosine similarities of a text and others, from vectors that are asked for one by one. */
async function similarities(first: string, others: readonly string[]): Promise<number[]> {
  const [a] = await embed(first);
  const all: number[] = [];
  for (const other of others) {
    const [b] = await embed(other);
    all.push(a!.reduce((sum, value, index) => sum + value * b![index]!, 0) / (norm(a!) * norm(b!)));
  }
  return all;
}

const tokensOf = async (...texts: string[]) => {
  const counts = texts.map(async (prompt) => (await ask("/v1/tokenize", { prompt })).count as number);
  return (await Promise.all(counts)).reduce((sum, count) => sum + count);
};

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

const documents = [STOCKS, CAT, "Felines rest on rugs."];
const query = "Where did the cat sit?";

describe.each(["/v1/rerank", "/v1/reranking"])("%s", (path) => {
  test("ranks documents by the similarity of their vectors to the query's", async () => {
    const answer = await ask(path, { query, documents });
    const expected = await similarities(query, documents);
    const order = [0, 1, 2].sort((a, b) => expected[b]! - expected[a]!);
    expect(order[0]).toBe(1);
    expect(answer.id).toMatch(/^rerank-/);
    expect(answer.model).toBe(model);
    expect(answer.results.map(({ index }: { index: number }) => index)).toEqual(order);
    for (const { index, relevance_score, document } of answer.results) {
      expect(relevance_score).toBeCloseTo(expected[index]!, 5);
      expect(document).toEqual({ text: documents[index] });
    }
    const tokens = await tokensOf(query, ...documents);
    expect(answer.usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
  });
});

describe("/v1/rerank", () => {
  test("returns as much as asked", async () => {
    const whole = await ask("/v1/rerank", { query, documents });
    const objects = documents.map((text) => ({ text }));
    const two = await ask("/v1/rerank", { query: { text: query }, documents: objects, top_n: 2 });
    expect(two.results).toEqual(whole.results.slice(0, 2));
    const many = await ask("/v1/rerank", { query, documents, top_n: 9, return_documents: false });
    const bare = whole.results.map(({ document: _, ...rest }: Record<string, unknown>) => rest);
    expect(many.results).toEqual(bare);
  });

  test.each<[object, string, string]>([
    [{ documents }, "query", "Missing"],
    [{ query }, "documents", "Missing"],
    [{ query, documents: [] }, "documents", "at least 1 item"],
    [{ query, documents: new Array(2049).fill("a") }, "documents", "at most 2048 items"],
    [{ query, documents: [CAT, ""] }, "documents[1]", "at least 1 character"],
    [{ query, documents: [CAT, { text: 3 }] }, "documents[1].text", "expected a string"],
    [{ query, documents: [CAT, CAT, CAT, "word ".repeat(600)] }, "documents[3]", "context of 512 tokens"],
    [{ query: "word ".repeat(600), documents }, "query", "context of 512 tokens"],
    [{ query, documents, top_n: -1 }, "top_n", "at least 0"],
    [{ query, documents, max_tokens_per_doc: 100 }, "max_tokens_per_doc", "/v1/tokenize"],
    [{ query, documents, model: "echo" }, "model", "does not serve /v1/rerank"],
  ])("refuses what it cannot rank %#", async (body, param, words) => {
    const error = await refusal("/v1/rerank", body);
    expect(error).toMatchObject({ status: 400, param, type: "invalid_request_error" });
    expect(error.message).toContain(words);
  });

  test("counts as a request, and its tokens as a prompt's", async () => {
    const labels = { endpoint: "rerank", model, status: "200" };
    const before = await metric(gateway.url, "stator_requests_total", labels);
    await ask("/v1/rerank", { query, documents });
    expect(await metric(gateway.url, "stator_requests_total", labels)).toBe(before + 1);
  });
});

describe("/v1/score", () => {
  const scoresOf = ({ data }: { data: readonly { index: number; object: string; score: number }[] }) => {
    expect(data.map(({ index, object }) => [index, object])).toEqual(data.map((_, at) => [at, "score"]));
    return data.map(({ score }) => score);
  };
  const expectClose = (scores: readonly number[], expected: readonly number[]) => {
    expect(scores).toHaveLength(expected.length);
    for (const [index, score] of scores.entries()) expect(score).toBeCloseTo(expected[index]!, 5);
  };

  test("compares one text with one, and with several", async () => {
    const one = await ask("/v1/score", { text_1: CAT, text_2: STOCKS });
    expect(one).toMatchObject({ id: expect.stringMatching(/^score-/), object: "list", model });
    expect(Math.abs(one.created - Date.now() / 1000)).toBeLessThan(60);
    expectClose(scoresOf(one), await similarities(CAT, [STOCKS]));
    const tokens = await tokensOf(CAT, STOCKS);
    expect(one.usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
    const expected = await similarities(query, documents);
    expectClose(scoresOf(await ask("/v1/score", { text_1: [query], text_2: documents })), expected);
    expectClose(scoresOf(await ask("/v1/score", { queries: query, documents })), expected);
    expectClose(scoresOf(await ask("/v1/score", { queries: query, items: documents })), expected);
  });

  test("compares pairs", async () => {
    const answer = await ask("/v1/score", { data_1: [CAT, query], data_2: [CAT, STOCKS] });
    expectClose(scoresOf(answer), [1, (await similarities(query, [STOCKS]))[0]!]);
  });

  test.each<[object, string]>([
    [{ text_1: CAT }, "text_2"],
    [{ text_1: [CAT, CAT], text_2: documents }, "text_2"],
    [{ text_1: CAT, text_2: [CAT, "word ".repeat(600)] }, "text_2[1]"],
    [{ text_1: CAT, text_2: [CAT, 4] }, "text_2[1]"],
    [{ text_1: CAT, text_2: CAT, model: "echo" }, "model"],
  ])("refuses what it cannot score %#", async (body, param) => {
    expect(await refusal("/v1/score", body)).toMatchObject({ status: 400, param });
  });
});
