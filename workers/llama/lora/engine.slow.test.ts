import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger, type KvEvent, type KvStoredEvent } from "#runtime";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { collect, requestFor, tokensOf } from "../../engine.suite.ts";
import type { Engine } from "../../engine.ts";
import { openLlama } from "../open.ts";
import { MEAN, poolingModel } from "../test-pooling-model.ts";
import { defaultModel, loraFile } from "./test-lora.ts";

const never = new AbortController().signal;
const log = createLogger({ name: "test", level: "error" });
const PROMPT = "The capital of France is Paris, and the capital of Italy is Rome. The capital of Spain is";

type Loras = Parameters<typeof openLlama>[0]["loras"];

const open = async (loras: Loras, modelPath?: string): Promise<Engine> =>
  openLlama({
    ...{ modelPath: modelPath ?? (await defaultModel()), threads: 1, contextLength: 256, sequences: 2 },
    ...{ loras, log },
  });

describe("a llama worker's LoRA adapters", () => {
  let folder: string;
  let one: string;
  let two: string;
  let engine: Engine;
  const events: KvEvent[] = [];

  beforeAll(async () => {
    folder = temporaryFolder();
    one = await loraFile(folder, { seed: 1 });
    two = await loraFile(folder, { seed: 2 });
    engine = await open([["one", one]]);
    engine.kvEvents!.subscribe((batch) => void events.push(...batch));
  });

  afterAll(() => engine.close());

  const lora = () => engine.lora!;
  const answer = async (loraName?: string) => {
    const fields = { maxTokens: 16, ...(loraName !== undefined && { loraName }) };
    const request = requestFor(await engine.tokenize!(PROMPT), fields);
    return tokensOf(await collect(engine.generate(request, never)));
  };
  const storedBy = (loraName: string | undefined, all = events) =>
    all.filter((event): event is KvStoredEvent => event.type === "stored" && event.loraName === loraName);

  test("answer differently from the model and from each other, and always the same", async () => {
    await lora().load("two", two);
    expect(lora().names).toEqual(["one", "two"]);
    const answers = [await answer(), await answer("one"), await answer("two")];
    expect(new Set(answers.map(String)).size).toBe(3);
    expect([await answer(), await answer("one"), await answer("two")]).toEqual(answers);
    await lora().unload("two");
  });

  test("have caches of their own, whose events name them", async () => {
    await lora().load("cached", one);
    events.length = 0;
    const tokens = await engine.tokenize!(`Facts. ${PROMPT}`);
    const cachedBy = async (more: { loraName?: string }) =>
      (await collect(engine.generate(requestFor(tokens, more), never)))[0]!.cachedTokens;
    await cachedBy({});
    expect(await cachedBy({ loraName: "cached" })).toBe(0);
    expect(await cachedBy({ loraName: "cached" })).toBe(tokens.length - 1);
    const hashes = [undefined, "cached"].map((name) =>
      storedBy(name).flatMap(({ blockHashes }) => [...blockHashes]),
    );
    expect(hashes.every(({ length }) => length > 0)).toBe(true);
    expect(new Set(hashes.flat()).size).toBe(hashes.flat().length);
    expect(storedBy("cached", engine.kvEvents!.snapshot(0)).length).toBe(hashes[1]!.length);
    await lora().unload("cached");
    const removed = events.flatMap((event) => (event.type === "removed" ? [...event.blockHashes] : []));
    expect(removed).toEqual(expect.arrayContaining(hashes[1]!));
    expect(storedBy("cached", engine.kvEvents!.snapshot(0))).toEqual([]);
  });

  test("hand prompts over to workers with the same adapter", async () => {
    const other = await open([["one", one]]);
    const request = requestFor(await engine.tokenize!(PROMPT), { maxTokens: 16, loraName: "one" });
    const expected = await answer("one");
    const { delta, kv } = await engine.exportKv!(request, never);
    const memory = new Uint8Array(kv!.bytes);
    await kv!.write(memory);
    kv!.release();
    const tokens = Uint32Array.from([...request.tokens, ...delta.tokenIds]);
    const source = { tokens: kv!.tokens, bytes: kv!.bytes, read: async () => memory, signal: never };
    const rest = await collect(other.importKv!({ ...request, tokens, maxTokens: 15 }, source, never));
    expect([...delta.tokenIds, ...tokensOf(rest)]).toEqual(expected);
    await other.close();
  });

  test("can be replaced by another file at the same path, and running answers go on", async () => {
    const path = join(folder, "current.gguf");
    await copyFile(one, path);
    await lora().load("current", path);
    const before = await answer("current");
    expect(before).toEqual(await answer("one"));
    const request = requestFor(await engine.tokenize!(PROMPT), { maxTokens: 16, loraName: "current" });
    const running = engine.generate(request, never)[Symbol.asyncIterator]();
    const first = await running.next();
    await copyFile(two, path);
    await lora().load("current", path);
    const rest: number[] = [...first.value!.tokenIds];
    for (let next = await running.next(); !next.done; next = await running.next())
      rest.push(...next.value.tokenIds);
    expect(rest).toEqual(before);
    expect(await answer("current")).not.toEqual(before);
    await lora().unload("current");
    expect(lora().names).toEqual(["one"]);
  });

  test("are refused, once unloaded", async () => {
    await expect(answer("gone")).rejects.toMatchObject({ code: "draining" });
  });

  test("that cannot be used are refused with the reason", async () => {
    const text = join(folder, "text.gguf");
    await writeFile(text, "This is no adapter, but it is long enough for one.");
    const refusals = [
      [join(folder, "none.gguf"), /There is no LoRA adapter at .*none.gguf/],
      [text, /text.gguf is not a GGUF file: .* convert_lora_to_gguf.py/],
      [folder, /is a folder, not a GGUF file\. Adapters in PEFT/],
      [await defaultModel(), /is not a LoRA adapter/],
      [await loraFile(folder, { architecture: "qwen2" }), /'qwen2', but this one is of 'llama'/],
      [await loraFile(folder, { width: 512 }), /llama.cpp cannot use .* made for another model/],
    ] as const;
    for (const [path, message] of refusals) {
      const refusal = { code: "invalid_request", message: expect.stringMatching(message) };
      await expect(lora().load("bad", path)).rejects.toMatchObject(refusal);
    }
    expect(lora().names).toEqual(["one"]);
  });

  test("are not for embedding models", async () => {
    const model = await poolingModel(folder, MEAN);
    await expect(open([["one", one]], model)).rejects.toThrow("Embedding models take no LoRA adapters.");
  });
});
