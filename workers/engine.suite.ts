import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GenerateRequest, KvEvent } from "#runtime";
import type { Delta, Engine } from "./engine.ts";
import { type KvImport, KvUnusableError } from "./kv/types.ts";

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

    test("keeps the cached KV of different salts apart, except for what they share", async (context) => {
      if (!engine.card.features.cacheSalt || engine.kvEvents === undefined) return context.skip();
      const { blockSize } = engine.card;
      const cachedBy = async (tokens: Uint32Array, fields: Partial<GenerateRequest>) => {
        const deltas = await collect(engine.generate(requestFor(tokens, { ...fields, maxTokens: 1 }), never));
        return deltas.find(({ cachedTokens }) => cachedTokens !== undefined)!.cachedTokens!;
      };
      const promptOf = async (text: string) =>
        (await prompt(text.repeat(4 * blockSize))).subarray(0, 4 * blockSize);
      const tokens = await promptOf("salt and pepper ");
      expect(await cachedBy(tokens, { cacheSalt: "ann" })).toBe(0);
      expect(await cachedBy(tokens, { cacheSalt: "ann" })).toBeGreaterThanOrEqual(tokens.length - blockSize);
      expect(await cachedBy(tokens, { cacheSalt: "ben" })).toBe(0);
      expect(await cachedBy(tokens, {})).toBe(0);
      const sharing = await promptOf("oil and vinegar ");
      const sharedTokens = 3 * blockSize;
      expect(await cachedBy(sharing, { cacheSalt: "ann", sharedTokens })).toBe(0);
      expect(await cachedBy(sharing, { cacheSalt: "ben", sharedTokens })).toBe(sharedTokens);
      expect(await cachedBy(sharing, { cacheSalt: "cat" })).toBe(0);
    });

    test("says in its events which block has the salt", async (context) => {
      if (!engine.card.features.cacheSalt || engine.kvEvents === undefined) return context.skip();
      const { blockSize } = engine.card;
      const tokens = (await prompt("bread and butter ".repeat(8 * blockSize))).subarray(0, 4 * blockSize + 1);
      const request = requestFor(tokens, { cacheSalt: "dan", sharedTokens: 2 * blockSize, maxTokens: 1 });
      await collect(engine.generate(request, never));
      const stored = engine.kvEvents.snapshot(0).flatMap((event) => (event.type === "stored" ? [event] : []));
      const salted = stored.filter(({ cacheSalt }) => cacheSalt === "dan");
      expect(salted.map(({ tokenIds }) => [...tokenIds.subarray(0, blockSize)])).toEqual([
        [...tokens.subarray(2 * blockSize, 3 * blockSize)],
      ]);
      const parent = stored.find(({ blockHashes }) => blockHashes.includes(salted[0]!.parentHash!));
      expect(parent).not.toHaveProperty("cacheSalt");
    });

    describe("KV for another worker", () => {
      let other: Engine;
      const events: KvEvent[] = [];
      const text = "The tortoise and the hare met at the river, and the tortoise said to the hare: ".repeat(
        3,
      );

      beforeAll(async () => {
        if (engine.exportKv === undefined) return;
        other = await open();
        other.kvEvents?.subscribe((batch) => void events.push(...batch));
      });

      afterAll(() => other?.close());

      test("is exported, imported, or neither", () => {
        const has = [engine.exportKv, engine.importKv, engine.card.kvFormat].map(
          (part) => part !== undefined,
        );
        expect(new Set(has).size).toBe(1);
      });

      test("continues the answer as the same engine would have", async (context) => {
        if (engine.exportKv === undefined) return context.skip();
        const tokens = await prompt(text);
        const whole = tokensOf(await collect(engine.generate(requestFor(tokens, { maxTokens: 24 }), never)));
        events.length = 0;
        const { delta, memory, tokens: covered } = await exported(engine, tokens, 24);
        expect(delta.tokenIds).toEqual(whole.slice(0, 1));
        expect(delta).toMatchObject({ cachedTokens: expect.any(Number) });
        expect(covered).toBeGreaterThan(0);
        expect(covered).toBeLessThanOrEqual(tokens.length);
        const continued = requestFor(joined(tokens, delta.tokenIds), { maxTokens: 23 });
        const deltas = await collect(other.importKv!(continued, importOf(memory, covered), never));
        expect(tokensOf(deltas)).toEqual(whole.slice(1));
        expect(deltas.filter(({ cachedTokens }) => cachedTokens !== undefined)).toHaveLength(1);
        expect(deltas.at(-1)!.finish).toBe("length");
        for (const each of [engine, other]) expect(each.stats()).toMatchObject({ running: 0, waiting: 0 });
      });

      test("becomes part of the importing engine's prefix cache, as its events say", async (context) => {
        if (engine.exportKv === undefined || engine.kvEvents === undefined) return context.skip();
        const tokens = await prompt(`Once more: ${text}`);
        const { delta, memory, tokens: covered } = await exported(engine, tokens, 2);
        events.length = 0;
        const continued = requestFor(joined(tokens, delta.tokenIds), { maxTokens: 1 });
        await collect(other.importKv!(continued, importOf(memory, covered), never));
        const { blockSize } = other.card;
        const stored = events.flatMap((event) => (event.type === "stored" ? [...event.tokenIds] : []));
        const whole = Math.floor(covered / blockSize) * blockSize;
        expect(stored.slice(0, whole)).toEqual([...tokens.subarray(0, whole)]);
        const [first] = await collect(other.generate(requestFor(tokens, { maxTokens: 1 }), never));
        expect(first!.cachedTokens).toBeGreaterThanOrEqual(Math.min(whole, tokens.length - blockSize));
      });

      test("is not exported if the answer ends with its first token", async (context) => {
        if (engine.exportKv === undefined) return context.skip();
        const tokens = await prompt(text);
        const { delta, kv } = await engine.exportKv(requestFor(tokens, { maxTokens: 1 }), never);
        expect(delta).toMatchObject({ finish: "length", tokenIds: [expect.any(Number)] });
        expect(kv).toBeUndefined();
        const none = await engine.exportKv(requestFor(tokens, { maxTokens: 0 }), never);
        expect(none).toMatchObject({ delta: { finish: "length", tokenIds: [] } });
        expect(none.kv).toBeUndefined();
      });

      test("of another prompt is refused, and nothing is left of the request", async (context) => {
        if (engine.exportKv === undefined) return context.skip();
        const { memory, tokens: covered } = await exported(engine, await prompt(text), 2);
        const another = joined(await prompt(text.replace("river", "bridge")), [1, 2]);
        for (const [kv, tokens] of [
          [importOf(memory, covered), another],
          [importOf(memory.subarray(0, Math.floor(memory.length / 3)), covered), another],
          [importOf(new Uint8Array(memory.length), covered), joined(await prompt(text), [1])],
        ] as const) {
          const attempt = collect(other.importKv!(requestFor(tokens), kv, never));
          await expect(attempt).rejects.toMatchObject({ name: "KvUnusableError", outcome: "format" });
        }
        expect(other.stats()).toMatchObject({ running: 0, waiting: 0 });
      });

      test("that cannot be read is an error before the first delta, and then generate answers", async (context) => {
        if (engine.importKv === undefined) return context.skip();
        const tokens = await prompt(text);
        const gone = new KvUnusableError("expired", "gone");
        const kv = { ...importOf(new Uint8Array(8), 1), read: () => Promise.reject(gone) };
        await expect(collect(other.importKv!(requestFor(tokens), kv, never))).rejects.toBe(gone);
        expect(other.stats()).toMatchObject({ running: 0, waiting: 0 });
        const answer = tokensOf(await collect(other.generate(requestFor(tokens), never)));
        expect(answer).toEqual(tokensOf(await collect(engine.generate(requestFor(tokens), never))));
      });

      test("holds nothing of an export or import that is aborted", async (context) => {
        if (engine.exportKv === undefined) return context.skip();
        const tokens = await prompt(text);
        const aborted = AbortSignal.abort(new Error("gone"));
        await expect(engine.exportKv(requestFor(tokens), aborted)).rejects.toThrow("gone");
        expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
        const { delta, memory, tokens: covered } = await exported(engine, tokens, 100);
        const controller = new AbortController();
        const continued = requestFor(joined(tokens, delta.tokenIds), { maxTokens: 99 });
        let after = 0;
        for await (const { tokenIds } of other.importKv!(
          continued,
          importOf(memory, covered),
          controller.signal,
        )) {
          if (controller.signal.aborted) after += tokenIds.length;
          else if (tokenIds.length > 0) controller.abort();
        }
        expect(after).toBeLessThanOrEqual(1);
        expect(other.stats()).toMatchObject({ running: 0, waiting: 0 });
      });

      const joined = (prompt: Uint32Array, answer: readonly number[]) =>
        Uint32Array.from([...prompt, ...answer]);

      async function exported(from: Engine, tokens: Uint32Array, maxTokens: number) {
        const { delta, kv } = await from.exportKv!(requestFor(tokens, { maxTokens }), never);
        const memory = new Uint8Array(kv!.bytes);
        await kv!.write(memory);
        kv!.release();
        return { delta, memory, tokens: kv!.tokens };
      }

      const importOf = (memory: Uint8Array, tokens: number): KvImport => ({
        tokens,
        bytes: memory.length,
        signal: never,
        read: async () => memory.slice(),
      });
    });
  });
}
