import { expect, test } from "vitest";
import { createLogger } from "#runtime";
import { tokenizeBytes } from "../byte-tokens.ts";
import { collect, engineSuite, requestFor, tokensOf } from "../engine.suite.ts";
import { defineTextWorker, type TextWorker } from "./define-text-worker.ts";

const open = (worker: TextWorker, options = {}) =>
  Promise.resolve(
    defineTextWorker(worker).open({
      log: createLogger({ name: "test", write: () => {} }),
      threads: 1,
      options,
    }),
  );

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

engineSuite("of text", () =>
  open({
    name: "letters",
    async *generate({ prompt }) {
      for (;;) {
        for (const letter of prompt) {
          await nextTurn();
          yield letter;
        }
      }
    },
  }),
);

/** An engine's answer to a prompt: text and finish reason. */
async function ask(worker: Omit<TextWorker, "name">, prompt: string, maxTokens = 100) {
  const engine = await open({ name: "test", ...worker });
  const request = requestFor(tokenizeBytes(prompt), { maxTokens });
  const deltas = await collect(engine.generate(request, new AbortController().signal));
  return { text: Buffer.from(tokensOf(deltas)).toString(), ...deltas.at(-1) };
}

test("a text engine gets text, yields text, and ends when it returns", async () => {
  const answer = await ask(
    { generate: ({ prompt }) => prompt.split(" ").reverse() },
    "drei zwei ❤ <|im_end|>eins",
  );
  expect(answer).toMatchObject({ text: "<|im_end|>eins❤zweidrei", finish: "stop", stopToken: 257 });
});

test("can split its text anywhere, even in the middle of a character", async () => {
  const whole = "a😀b";
  const answer = await ask({ generate: () => [...Array(whole.length).keys()].map((at) => whole[at]!) }, "x");
  expect(answer).toMatchObject({ text: whole, finish: "stop" });
});

test("is cut off at the length, in the middle of a word, and not resumed", async () => {
  let asked = 0;
  function* generate() {
    for (;;) {
      asked++;
      yield "abc";
    }
  }
  expect(await ask({ generate }, "x", 7)).toMatchObject({ text: "abcabca", finish: "length" });
  expect(asked).toBe(3);
});

test("names an engine that yields something other than strings", async () => {
  const generate = () => [5] as unknown as string[];
  await expect(ask({ generate }, "x")).rejects.toThrow("The text worker 'test' yielded number");
});

test("loads before it serves, and closes at the end", async () => {
  const events: string[] = [];
  const engine = await open(
    {
      name: "a",
      generate: () => [],
      load: () => void events.push("load"),
      close: () => void events.push("close"),
    },
    { modelName: "b", contextLength: 100, aliases: ["default"] },
  );
  expect(engine.card).toMatchObject({ name: "b", aliases: ["default"], contextLength: 100 });
  await engine.close();
  expect(events).toEqual(["load", "close"]);
});

test("refuses a tokenizer", async () => {
  const tokenizer = { path: "t", sha256: "s", vocabularySize: 1 };
  await expect(open({ name: "a", generate: () => [] }, { tokenizer })).rejects.toThrow(
    "--tokenizer does not work with 'a'",
  );
});
