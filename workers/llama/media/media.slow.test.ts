import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultModelFolder, fetchModel } from "#cli";
import { createLogger, type PromptMedium } from "#runtime";
import { JPEG, OTHER_PNG, PNG } from "../../../gateway/media/test-media.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { collect, requestFor, tokensOf } from "../../engine.suite.ts";
import type { Engine } from "../../engine.ts";
import { openLlama } from "../open.ts";
import { findMediaPackages } from "./packages.ts";
import { PICTURE_TOKENS, randomProjector } from "./test-projector.ts";

/** What the oracle is: the package's own interface, which computes with code of its own. */
interface LlamaBinding {
  readonly LlamaContext: new (
    options: object,
  ) => {
    initMultimodal(options: object): boolean;
    tokenize(prompt: string, media: string[]): Promise<{ tokens: Int32Array; bitmap_hashes: string[] }>;
    clearCache(clearsData: boolean): void;
    completion(options: object, onText: () => void): Promise<{ text: string }>;
  };
}

/** The real binding, and a projector whose weights are random. */
const log = createLogger({ name: "test", level: "warn" });
const never = new AbortController().signal;
const BEFORE = "<|im_start|>user\n";
const AFTER = "\nWhat is this?<|im_end|>\n<|im_start|>assistant\n";
const MAX_TOKENS = 8;

let folder: string;
let modelPath: string;
let mmproj: string;
let engine: Engine;

const open = (projector: string, more: object = {}) =>
  openLlama({ modelPath, mmproj: projector, threads: 1, contextLength: 512, log, ...more });

beforeAll(async () => {
  folder = await temporaryFolder();
  modelPath = (await fetchModel(undefined, { folder: defaultModelFolder() })).path;
  mmproj = await randomProjector(folder);
  engine = await open(mmproj);
}, 120_000);

afterAll(() => engine.close());

const picture = (base64: string, position: number, type = "image/png"): PromptMedium => ({
  ...{ kind: "image", type, position },
  data: Buffer.from(base64, "base64"),
});

/** A question about pictures. */
async function ask(pictures: readonly string[], more: object = {}, signal = never) {
  const [before, after] = await Promise.all([engine.tokenize!(BEFORE), engine.tokenize!(AFTER)]);
  const request = requestFor(Uint32Array.from([...before, ...after]), {
    maxTokens: MAX_TOKENS,
    media: pictures.map((base64) => picture(base64, before.length)),
    ...more,
  });
  return engine.generate({ ...request, sampling: { ...request.sampling, temperature: 0 } }, signal);
}

const answer = async (pictures: readonly string[], more?: object) => collect(await ask(pictures, more));

describe("a llama worker with a projector", () => {
  test("says on its card that it takes images", () => {
    expect(engine.card.media).toEqual(["image"]);
  });

  test("answers as llama.cpp does when it is asked directly, token for token", async () => {
    const { llama } = findMediaPackages(folder);
    const binding: LlamaBinding = createRequire(llama)(llama);
    const context = new binding.LlamaContext({
      ...{ model: modelPath, n_ctx: 512, n_batch: 512, n_threads: 1, n_gpu_layers: 0, n_parallel: 1 },
      ...{ use_mmap: true, no_extra_bufts: true },
    });
    expect(context.initMultimodal({ path: mmproj, use_gpu: false })).toBe(true);
    const texts = new Map<string, string>();
    const counts: number[] = [];
    const hashes = new Set<string>();
    for (const base64 of [PNG, OTHER_PNG]) {
      const prompt = `${BEFORE}<__media__>${AFTER}`;
      const media = [`data:image/png;base64,${base64}`];
      const { tokens, bitmap_hashes } = await context.tokenize(prompt, media);
      counts.push(tokens.length);
      hashes.add(bitmap_hashes.join());
      context.clearCache(true);
      const { text } = await context.completion(
        {
          ...{ prompt, media_paths: media, n_predict: MAX_TOKENS, seed: 1, ignore_eos: false },
          ...{ temperature: 0, top_k: 0, top_p: 1, min_p: 0, xtc_probability: 0, dry_multiplier: 0 },
          ...{ penalty_last_n: 0, penalty_repeat: 1, penalty_freq: 0, penalty_present: 0 },
        },
        () => {},
      );
      texts.set(base64, text);
    }
    expect(hashes.size).toBe(2);
    const vocabulary = engine.vocabulary!();
    const textOf = (ids: readonly number[]) =>
      Buffer.concat(ids.map((id) => vocabulary[id]!.bytes)).toString();
    for (const [index, base64] of [PNG, OTHER_PNG].entries()) {
      const deltas = await answer([base64]);
      expect(textOf(tokensOf(deltas))).toBe(texts.get(base64));
      expect(tokensOf(deltas)).toHaveLength(MAX_TOKENS);
      expect(deltas.at(-1)!.finish).toBe("length");
      const text = (await engine.tokenize!(BEFORE)).length + (await engine.tokenize!(AFTER)).length;
      expect(deltas[0]!.mediaTokens).toBe(PICTURE_TOKENS);
      expect(counts[index]).toBe(text + PICTURE_TOKENS);
    }
  });

  test("gives the same answer to the same picture, whatever came between", async () => {
    const first = tokensOf(await answer([PNG]));
    await answer([OTHER_PNG, PNG]);
    expect(tokensOf(await answer([PNG]))).toEqual(first);
  });

  test("counts the tokens of several pictures", async () => {
    const [delta] = await answer([PNG, OTHER_PNG], { maxTokens: 1 });
    expect(delta!.mediaTokens).toBe(2 * PICTURE_TOKENS);
  });

  test("answers prompts without media as ever, with its prefix cache", async () => {
    const tokens = await engine.tokenize!(`${BEFORE}What is a cat?${AFTER}`);
    await collect(engine.generate(requestFor(tokens), never));
    const [again] = await collect(engine.generate(requestFor(tokens), never));
    expect(again).toMatchObject({ cachedTokens: tokens.length - 1 });
  });

  test("stops at once when a request is cancelled, and answers the next one", async () => {
    const leaving = new AbortController();
    for await (const { tokenIds } of await ask([PNG], { maxTokens: 400, ignoreEos: true }, leaving.signal))
      if (tokenIds.length > 0) leaving.abort();
    expect(tokensOf(await answer([PNG])).length).toBeGreaterThan(0);
  });

  test("answers requests that come at once one after another", async () => {
    const alone = tokensOf(await answer([PNG]));
    const both = await Promise.all([answer([PNG]), answer([OTHER_PNG]), answer([PNG])]);
    expect(tokensOf(both[0]!)).toEqual(alone);
    expect(tokensOf(both[2]!)).toEqual(alone);
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  test("keeps an answer to a grammar", async () => {
    const grammar = { gbnf: 'root ::= "yes" | "no"', after: [] };
    const vocabulary = engine.vocabulary!();
    const ids = tokensOf(await answer([PNG], { grammar }));
    expect(["yes", "no"]).toContain(Buffer.concat(ids.map((id) => vocabulary[id]!.bytes)).toString());
  });

  test("gives log probabilities, of which the chosen tokens' are the highest", async () => {
    const deltas = await answer([PNG], { logprobs: 3 });
    const given = deltas.flatMap(({ logprobs = [] }) => logprobs);
    expect(given).toHaveLength(MAX_TOKENS);
    for (const [index, { logprob, top }] of given.entries()) {
      expect(top).toHaveLength(3);
      expect(top[0]).toEqual([tokensOf(deltas)[index], logprob]);
      expect(top.map(([, each]) => each)).toEqual(top.map(([, each]) => each).toSorted((a, b) => b - a));
      expect(logprob).toBeLessThan(0);
    }
  });

  test("biases tokens, and ends at those of the request", async () => {
    const [first, second] = tokensOf(await answer([PNG]));
    const sampling = {
      ...requestFor(new Uint32Array()).sampling,
      temperature: 0,
      logitBias: [[first!, -100]],
    };
    expect(tokensOf(await answer([PNG], { sampling }))[0]).not.toBe(first);
    const ended = await answer([PNG], { stopTokenIds: [second!] });
    expect(tokensOf(ended)).toEqual([first]);
    expect(ended.at(-1)).toMatchObject({ finish: "stop", stopToken: second });
  });

  test.each([
    ["a picture that cannot be decoded", [PNG.slice(0, 80)], {}, "cannot be decoded"],
    ["the prompt's log probabilities", [PNG], { echoLogprobs: true }, "log probabilities"],
    ["a LoRA adapter", [PNG], { loraName: "poet" }, "LoRA"],
    ["other formats", [], { media: [picture(JPEG, 0, "image/webp")] }, "Send PNG"],
  ])("refuses %s", async (_, pictures, more, reason) => {
    await expect(answer(pictures, more)).rejects.toThrow(reason);
    expect(tokensOf(await answer([PNG], { maxTokens: 1 }))).toHaveLength(1);
  });

  test("refuses a prompt that is too long with its pictures", async () => {
    await expect(answer(Array.from({ length: 40 }, () => PNG))).rejects.toThrow(
      "this model accepts 1 to 511",
    );
    expect(tokensOf(await answer([PNG], { maxTokens: 1 }))).toHaveLength(1);
  });

  test("takes text that looks like a picture's place as text", async () => {
    const [plain] = await answer([PNG], { maxTokens: 1 });
    const tokens = await engine.tokenize!("<__media__>");
    const request = requestFor(tokens, { media: [picture(PNG, 0)], maxTokens: 1 });
    const [delta] = await collect(engine.generate(request, never));
    expect(delta!.mediaTokens).toBe(plain!.mediaTokens);
  });
});

describe("a llama worker that only encodes", () => {
  test("makes features with which another one answers as with the pictures themselves, token for token", async () => {
    const encoder = await open(mmproj, { encodesOnly: true });
    try {
      expect(encoder.card).toMatchObject({
        media: ["image"],
        featureFormat: engine.card.featureFormat,
        tokenizer: engine.card.tokenizer,
        blockSize: engine.card.blockSize,
      });
      const media = [PNG, OTHER_PNG].map((base64) => ({ ...picture(base64, 0), id: base64 }));
      const [first, second] = await encoder.encode!(media, never);
      if (first?.kind !== "features" || second?.kind !== "features") throw new Error("It has no features.");
      expect(first.tokens).toBe(PICTURE_TOKENS);
      const { length } = await engine.tokenize!(BEFORE);
      const given = (base64: string, encoded: Uint8Array) => [{ ...picture(base64, length), encoded }];
      const logprobs = { logprobs: 2 };
      const whole = await answer([PNG], logprobs);
      expect(await answer([PNG], { ...logprobs, media: given(PNG, first.features) })).toEqual(whole);
      // It is the features that count.
      const other = tokensOf(await answer([OTHER_PNG]));
      expect(tokensOf(await answer([PNG], { media: given(PNG, second.features) }))).toEqual(other);
      // What is no use is made anew.
      const broken = given(PNG, first.features.slice(0, 100));
      expect(tokensOf(await answer([PNG], { media: broken }))).toEqual(tokensOf(whole));
      await expect(collect(encoder.generate(requestFor(new Uint32Array(1)), never))).rejects.toThrow(
        "only encodes media",
      );
      const damaged = { ...picture(PNG.slice(0, 80), 0), id: "damaged" };
      expect(await encoder.encode!([damaged], never)).toMatchObject([
        { kind: "refused", message: expect.stringContaining("damaged") },
      ]);
    } finally {
      await encoder.close();
    }
  });

  test("needs a projector", async () => {
    await expect(
      openLlama({ modelPath, encodesOnly: true, threads: 1, contextLength: 512, log }),
    ).rejects.toThrow("--mmproj");
  });
});

describe("a llama worker does not start", () => {
  test("without its projector", async () => {
    await expect(open(join(folder, "none.gguf"))).rejects.toThrow(/There is no projector .*none\.gguf/);
  });

  test.each([
    ["is no GGUF file", Buffer.from("nonsense")],
    ["is empty", Buffer.alloc(0)],
  ])("with a projector that %s", async (_, content) => {
    const path = join(folder, "broken.gguf");
    await writeFile(path, content);
    await expect(open(path)).rejects.toThrow(/Cannot load the projector .*broken\.gguf/);
  });

  test("with a model in place of the projector", async () => {
    await expect(open(modelPath)).rejects.toThrow("Cannot load the projector");
  });
});
