import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GenerateRequest } from "#runtime";
import type { Delta, Engine } from "./engine.ts";

const sampling = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  frequencyPenalty: 0,
  presencePenalty: 0,
  repetitionPenalty: 1,
  logitBias: [],
};

/** A request with all defaults. */
export const requestFor = (tokens: Uint32Array, fields: Partial<GenerateRequest> = {}): GenerateRequest => ({
  requestId: "test",
  model: "test",
  tokens,
  maxTokens: 8,
  sampling,
  ignoreEos: true,
  stopTokenIds: [],
  ...fields,
});

export async function collect(deltas: AsyncIterable<Delta>): Promise<Delta[]> {
  const all: Delta[] = [];
  for await (const delta of deltas) all.push(delta);
  return all;
}

export const tokensOf = (deltas: readonly Delta[]) =>
  deltas.flatMap((delta) => (delta.echo ? [] : delta.tokenIds));

/** The suite for every engine. */
export function engineSuite(name: string, open: () => Engine | Promise<Engine>): void {
  describe(`engine ${name}`, () => {
    let engine: Engine;
    const never = new AbortController().signal;
    const prompt = async (text: string) => await engine.tokenize!(text);

    beforeAll(async () => {
      engine = await open();
    });

    afterAll(() => engine.close());

    test("has a valid card", () => {
      const { card } = engine;
      expect(card.contextLength).toBeGreaterThan(0);
      expect(card.blockSize).toBeGreaterThan(0);
      expect(card.totalBlocks * card.blockSize).toBeGreaterThanOrEqual(card.contextLength);
      expect(engine.vocabulary!()).toHaveLength(card.vocabularySize);
      expect(card.eosTokenIds.every((id) => engine.vocabulary!()[id]!.control)).toBe(true);
    });

    test("tokenises without loss, and recognises its control tokens", async () => {
      const vocabulary = engine.vocabulary!();
      const texts = [
        "Hello, world!",
        " two  spaces\n\tand a tab",
        "naïve 日本語 🧑‍🚀🦄 \u0000",
        "x".repeat(5000),
      ];
      for (const text of texts) {
        const bytes = Array.from(await prompt(text), (id) => vocabulary[id]!.bytes);
        expect(Buffer.concat(bytes).toString()).toBe(text);
      }
      const [control] = await prompt("<|im_start|>");
      expect(vocabulary[control!]).toMatchObject({ control: true });
    });

    test("ends with one finish, after the requested number of tokens", async () => {
      for (const maxTokens of [1, 2, 17]) {
        const deltas = await collect(
          engine.generate(requestFor(await prompt("One two three"), { maxTokens }), never),
        );
        expect(tokensOf(deltas)).toHaveLength(maxTokens);
        expect(deltas.filter((delta) => delta.finish !== undefined)).toEqual([deltas.at(-1)]);
        expect(deltas.at(-1)!.finish).toBe("length");
        expect(deltas.filter((delta) => delta.cachedTokens !== undefined)).toHaveLength(1);
      }
    });

    test("yields no token if none is requested", async () => {
      const deltas = await collect(engine.generate(requestFor(await prompt("Hi"), { maxTokens: 0 }), never));
      expect(tokensOf(deltas)).toEqual([]);
      expect(deltas.at(-1)!.finish).toBe("length");
    });

    test("gives the same answers to concurrent requests as to single ones", async () => {
      const prompts = await Promise.all(["red red red", "1 2 3 4 5 6", "a b c d e f"].map(prompt));
      const alone = [];
      for (const tokens of prompts)
        alone.push(tokensOf(await collect(engine.generate(requestFor(tokens), never))));
      const together = await Promise.all(
        prompts.map(async (tokens) => tokensOf(await collect(engine.generate(requestFor(tokens), never)))),
      );
      expect(together).toEqual(alone);
    });

    test("stops within one token of an abort, and no longer counts the request", async () => {
      const controller = new AbortController();
      let after = 0;
      for await (const delta of engine.generate(
        requestFor(await prompt("Go on"), { maxTokens: 200 }),
        controller.signal,
      )) {
        if (controller.signal.aborted) after += delta.tokenIds.length;
        else if (delta.tokenIds.length > 0) controller.abort();
      }
      expect(after).toBeLessThanOrEqual(1);
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
    });

    test("releases requests that are aborted before they begin, and whose readers leave", async () => {
      const aborted = AbortSignal.abort(new Error("gone"));
      const early = await collect(engine.generate(requestFor(await prompt("Hi")), aborted)).catch(() => []);
      expect(tokensOf(early)).toEqual([]);
      for await (const delta of engine.generate(requestFor(await prompt("Hi"), { maxTokens: 50 }), never)) {
        if (delta.tokenIds.length > 0) break;
      }
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
    });
  });
}
