import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { ModelCard } from "#runtime";
import { checkedCard } from "./check-card.ts";
import { openEcho } from "./echo/engine.ts";

const folder = mkdtempSync(join(tmpdir(), "stator-test-"));
const file = join(folder, "tokenizer.json");
writeFileSync(file, "abc");
// FIPS 180-4, the one-block example.
const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

afterAll(() => rmSync(folder, { recursive: true }));

const check = (card: object, lacking?: "tokenize") => {
  const { tokenize, ...echo } = openEcho();
  const engine = { ...echo, ...(lacking === undefined && { tokenize: tokenize! }) };
  return checkedCard({ ...engine, card: { ...echo.card, ...card } as ModelCard }, "mine-0");
};

const worker = { kind: "worker", sha256 };

test.each<[string, object, RegExp, "tokenize"?]>([
  ["blockSize", { blockSize: undefined }, /expected number, received undefined/],
  ["blockSize", { blockSize: 0 }, /expected number to be >0/],
  ["features.logprobs", { features: { logitBias: true, embeddings: false } }, /expected boolean/],
  ["apis.1", { apis: ["chat", "telepathy"] }, /Invalid option/],
  ["tokenizer.sha256", { tokenizer: worker }, /it is 'ba7816.*', but the vocabulary's .* is f3044942/],
  ["vocabularySize", { vocabularySize: 300 }, /it is 300, but the vocabulary has 258 tokens/],
  ["tokenizer.kind", {}, /methods tokenize and vocabulary/, "tokenize"],
  ["eosTokenIds.1", { eosTokenIds: [257, 258] }, /258 is not in a vocabulary of 258 tokens/],
  ["bosTokenId", { bosTokenId: 1000 }, /1000 is not in/],
  ["apis", { apis: ["embeddings"] }, /needs the engine's method embed/],
  ["apis", { apis: ["chat", "translations"] }, /'translations' needs the engine's method transcribe/],
  [
    "tokenizer.sha256",
    { tokenizer: { kind: "huggingface", path: file, sha256: "abc" } },
    /it is 'abc', but that of/,
  ],
  ["tokenizer.path", { tokenizer: { kind: "huggingface", path: `${file}.gone`, sha256 } }, /ENOENT/],
])("a card whose %s is wrong is refused by the worker's name", async (field, card, reason, lacking) => {
  const message = await check(card, lacking).then(
    () => "",
    (error: Error) => error.message,
  );
  expect(message).toContain(
    `The worker 'mine-0' cannot serve its model: '${field}' in its engine's model card is invalid: `,
  );
  expect(message).toMatch(reason);
});

test("a valid card gets its defaults", async () => {
  const tokenizer = { kind: "huggingface", path: file, sha256 };
  const left = { role: undefined, dataParallelSize: undefined, aliases: undefined };
  expect(await check({ ...left, tokenizer })).toMatchObject({
    role: "aggregated",
    dataParallelSize: 1,
    aliases: [],
  });
});
