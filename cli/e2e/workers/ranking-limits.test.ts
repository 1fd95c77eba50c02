import { beforeAll, expect, test } from "vitest";
import { formatHash, hashKey, newKey, newSalt, readKeyFile } from "#gateway";
import { openEcho } from "../../../workers/echo/engine.ts";
import type { Engine } from "../../../workers/engine.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway.ts";

/** What a key may do with routes that answer from vectors, and with those that only tokenize. */
let gateway: OwnGateway;
const key = newKey();
const asked: number[] = [];

/** Its tokens are bytes, and a text's vector is its length and its first byte. */
function openLengths(name: string): Engine {
  const echo = openEcho({ modelName: name });
  return {
    ...echo,
    card: {
      ...echo.card,
      apis: ["embeddings"],
      features: { ...echo.card.features, embeddings: true },
    },
    embed: async (inputs) => {
      asked.push(inputs.length);
      return inputs.map((input) => Float32Array.of(input.length, input[0]!));
    },
  };
}

beforeAll(async () => {
  const hash = formatHash(await hashKey(key, newSalt()));
  const entry = { id: "one", hash, models: ["allowed"], tokens_per_minute: 100 };
  gateway = await startOwnGateway(
    { allowed: openLengths("allowed"), secret: openLengths("secret") },
    { access: { keys: readKeyFile({ keys: [entry] }) } },
  );
});

async function post(path: string, body: object, authorization = `Bearer ${key}`) {
  const response = await fetch(gateway.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization },
    body: JSON.stringify({ model: "allowed", ...body }),
  });
  const left = Number(response.headers.get("x-ratelimit-remaining-tokens"));
  return { status: response.status, left, body: await response.json() };
}

const ROUTES: [string, object][] = [
  ["/v1/rerank", { query: "a", documents: ["b"] }],
  ["/v1/score", { text_1: "a", text_2: "b" }],
  ["/v1/tokenize", { prompt: "a" }],
  ["/tokenize", { prompt: "a" }],
  ["/detokenize", { tokens: [97] }],
];

test.each(ROUTES)("%s needs a key, of which the model is in scope", async (path, body) => {
  expect((await post(path, body, "Bearer none")).status).toBe(401);
  const { status, body: answer } = await post(path, { ...body, model: "secret" });
  expect([status, answer.error.code]).toEqual([403, "model_not_allowed"]);
  const nameless = await post(path, { ...body, model: undefined });
  expect(nameless.body.error).toMatchObject({ param: "model", code: "missing_required_parameter" });
  expect(nameless.body.error.message).toContain("several: 'allowed'. Name");
});

test("the texts are sent to one worker together, and their tokens count; those of tokenizing do not", async () => {
  asked.length = 0;
  const scored = await post("/v1/score", { text_1: "0123456789", text_2: ["0123456789", "abcdefghij"] });
  expect(scored.body.usage.prompt_tokens).toBe(30);
  expect(asked).toEqual([3]);
  const free = await post("/tokenize", { prompt: "0".repeat(500) });
  expect([free.status, free.body.count]).toEqual([200, 500]);
  expect(free.left).toBeGreaterThanOrEqual(70);
  const texts = ["0".repeat(60), "1".repeat(60)];
  const over = await post("/v1/rerank", { query: "a", documents: texts });
  expect([over.status, over.body.error.code]).toEqual([429, "rate_limit_exceeded"]);
  expect(asked).toEqual([3]);
});
