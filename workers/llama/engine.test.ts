import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultModelFolder, fetchModel } from "#cli";
import { createLogger, type KvEvent } from "#runtime";
import { collect, engineSuite, requestFor, tokensOf } from "../engine.suite.ts";
import type { Engine } from "../engine.ts";
import { openLlama } from "./open.ts";

const log = createLogger({ name: "test", level: "error" });
const never = new AbortController().signal;

async function openModel(
  fields: { modelPath?: string; sequences?: number; contextLength?: number } = {},
): Promise<Engine> {
  const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
  return openLlama({ modelPath: path, threads: 1, contextLength: 512, log, ...fields });
}

engineSuite("llama", () => openModel());

describe("llama", () => {
  let engine: Engine;
  const events: KvEvent[] = [];

  beforeAll(async () => {
    engine = await openModel({ sequences: 2 });
    engine.kvEvents!.subscribe((batch) => void events.push(...batch));
  });

  afterAll(() => engine.close());

  const generate = async (text: string, fields = {}) =>
    collect(engine.generate(requestFor(await engine.tokenize!(text), fields), never));
  const cachedOf = (deltas: Awaited<ReturnType<typeof generate>>) => deltas[0]!.cachedTokens!;

  test("reuses a cached prefix, and reports its cache in events", async () => {
    const text = Array.from({ length: 30 }, (_, index) => `fact ${index};`).join(" ");
    const length = (await engine.tokenize!(text)).length;
    expect(cachedOf(await generate(text))).toBe(0);
    const stored = events.filter((event) => event.type === "stored");
    expect(stored.reduce((sum, event) => sum + event.blockHashes.length, 0)).toBe(
      Math.floor((length + 7) / 16),
    );
    // The same prompt again: all but the last token, whose logits are needed.
    expect(cachedOf(await generate(text))).toBe(length - 1);
    const longer = await generate(`${text} and then`);
    expect(cachedOf(longer)).toBeGreaterThanOrEqual(length - 1);
    expect(engine.kvEvents!.snapshot(0).length).toBeGreaterThan(0);
  });

  test("gives the same answer with and without its cache", async () => {
    const text = `${"The quick brown fox jumps over the lazy dog. ".repeat(6)}The quick brown`;
    const first = await generate(text);
    const again = await generate(text);
    expect(cachedOf(again)).toBeGreaterThan(cachedOf(first));
    expect(tokensOf(again)).toEqual(tokensOf(first));
  });

  test("ends at the model's end token and at stop tokens, which are not part of the answer", async () => {
    const chat = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n";
    const deltas = await generate(chat, { maxTokens: 50, ignoreEos: false });
    expect(deltas.at(-1)).toMatchObject({ finish: "stop", tokenIds: [] });
    expect(engine.card.eosTokenIds).toContain(deltas.at(-1)!.stopToken);
    const [, second] = tokensOf(deltas);
    const stopped = await generate(chat, { maxTokens: 50, stopTokenIds: [second!] });
    expect(stopped.at(-1)).toMatchObject({ finish: "stop", stopToken: second });
    expect(tokensOf(stopped)).toEqual(tokensOf(deltas).slice(0, 1));
  });

  test("a request waits while all sequences are in use, and an abort ends its wait", async () => {
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const prompt = await engine.tokenize!("Once upon a time");
    const begun = Promise.withResolvers<void>();
    const running = controllers.map(async ({ signal }, index) => {
      for await (const delta of engine.generate(requestFor(prompt, { maxTokens: 400 }), signal)) {
        if (index === 1 && delta.tokenIds.length > 0) begun.resolve();
      }
    });
    await begun.promise;
    expect(engine.stats()).toMatchObject({ running: 2, waiting: 1 });
    controllers[2]!.abort(new Error("gone"));
    await expect(running[2]).rejects.toThrow("gone");
    expect(engine.stats()).toMatchObject({ running: 2, waiting: 0 });
    controllers[0]!.abort();
    controllers[1]!.abort();
    await Promise.all(running.slice(0, 2));
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  test("tokenises a prompt the same as its parts split at control tokens", async () => {
    // The gateway's cache of prompt parts relies on this.
    const control = fc.constantFrom("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>");
    const piece = fc.oneof(control, fc.constantFrom("\n", " ", "user\n"), fc.string({ unit: "grapheme" }));
    await fc.assert(
      fc.asyncProperty(fc.array(piece), async (pieces) => {
        const text = pieces.join("");
        const parts = text.split(/(?=<\|im_start\|>|<\|im_end\|>|<\|endoftext\|>|<repo_name>)/);
        const tokens = await Promise.all(parts.map((part) => engine.tokenize!(part)));
        expect(tokens.flatMap((ids) => [...ids])).toEqual([...(await engine.tokenize!(text))]);
      }),
      { numRuns: 500 },
    );
  });
});
