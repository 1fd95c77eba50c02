import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultModelFolder, fetchModel } from "#cli";
import { createLogger, type GenerateRequest, type PromptMedium, seededRandom } from "#runtime";
import { pngOf, tone, wav } from "../../../examples/multimodal/media.ts";
import { JPEG, OTHER_PNG, PNG } from "../../../gateway/media/test-media.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { collect, requestFor, tokensOf } from "../../engine.suite.ts";
import type { Engine } from "../../engine.ts";
import { openLlama } from "../open.ts";
import { oracleAnswers } from "./test-oracle.ts";
import { PICTURE_TOKENS, randomProjector } from "./test-projector.ts";
import { tinyGemma3, tinyQwen2Audio, tinyQwen2Vl } from "./test-vision-models.ts";

/** The real binding, and a projector whose weights are random. */
const log = createLogger({ name: "test", level: "warn" });
const never = new AbortController().signal;
const BEFORE = "<|im_start|>user\n";
const AFTER = "\nWhat is this?<|im_end|>\n<|im_start|>assistant\n";
const MAX_TOKENS = 8;
const TINY_TOKENS = 12;

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

const textTokens = async () =>
  (await engine.tokenize!(BEFORE)).length + (await engine.tokenize!(AFTER)).length;

const textOf = (ids: readonly number[], of = engine) => {
  const vocabulary = of.vocabulary!();
  return Buffer.concat(ids.map((id) => vocabulary[id]!.bytes)).toString();
};

const answer = async (pictures: readonly string[], more?: object) => collect(await ask(pictures, more));

describe("a llama worker with a projector", () => {
  test("says on its card that it takes images", () => {
    expect(engine.card.media).toEqual(["image"]);
  });

  test("answers as llama.cpp does when it is asked directly, token for token", async () => {
    const pictures = [PNG, OTHER_PNG];
    const expected = await oracleAnswers(
      { modelPath, mmproj },
      [BEFORE, AFTER],
      pictures.map((base64) => urlOf(picture(base64, 0))),
      MAX_TOKENS,
    );
    expect(new Set(expected.map(({ hash }) => hash)).size).toBe(2);
    for (const [index, base64] of pictures.entries()) {
      const deltas = await answer([base64]);
      expect(textOf(tokensOf(deltas))).toBe(expected[index]!.text);
      expect(tokensOf(deltas)).toHaveLength(MAX_TOKENS);
      expect(deltas.at(-1)!.finish).toBe("length");
      expect(deltas[0]!.mediaTokens).toBe(PICTURE_TOKENS);
      expect(expected[index]!.promptTokens).toBe((await textTokens()) + PICTURE_TOKENS);
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

  test("answers requests that come at once together, each as if it were alone", async () => {
    const pictures = [[PNG], [OTHER_PNG], [PNG, OTHER_PNG], [OTHER_PNG], [PNG]];
    const alone: number[][] = [];
    for (const each of pictures) alone.push(tokensOf(await answer(each)));
    const together = await Promise.all(pictures.map((each) => answer(each)));
    expect(together.map(tokensOf)).toEqual(alone);
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  test("computes what two prompts share once, pictures included, and no more than that", async () => {
    const cached = async (pictures: readonly string[], more?: object) =>
      (await answer(pictures, { maxTokens: 1, ...more }))[0]!.cachedTokens;
    const salt = { cacheSalt: "their own" };
    const before = (await engine.tokenize!(BEFORE)).length;
    const whole = (await textTokens()) + PICTURE_TOKENS;
    expect(await cached([PNG], salt)).toBe(0);
    expect(await cached([PNG], salt)).toBe(whole - 1);
    expect(await cached([PNG, OTHER_PNG], salt)).toBe(before + PICTURE_TOKENS);
    // Too short a prefix is not worth the rest of a sequence.
    expect(await cached([OTHER_PNG], salt)).toBeLessThanOrEqual(before);
    const shared = { cacheSalt: "another", sharedTokens: before };
    expect(await cached([PNG], shared)).toBeLessThanOrEqual(before);
    expect(await cached([PNG], shared)).toBe(whole - 1);
  });

  test("continues a conversation after its answer", async () => {
    const [before, after] = await Promise.all([engine.tokenize!(BEFORE), engine.tokenize!(AFTER)]);
    const asked = await answer([PNG]);
    const more = await engine.tokenize!("<|im_end|>\n<|im_start|>user\nWhy?");
    const request = requestFor(Uint32Array.from([...before, ...after, ...tokensOf(asked), ...more]), {
      ...{ maxTokens: 1, media: [picture(PNG, before.length)] },
    });
    const [delta] = await collect(engine.generate(request, never));
    // The answer's last token was never computed.
    expect(delta!.cachedTokens).toBe((await textTokens()) + PICTURE_TOKENS + MAX_TOKENS - 1);
  });

  test("counts media without computing the prompt", async () => {
    expect(await answer([PNG, OTHER_PNG], { maxTokens: 0 })).toEqual([
      { tokenIds: [], mediaTokens: 2 * PICTURE_TOKENS, finish: "length" },
    ]);
    await expect(answer([PNG, PNG.slice(0, 80)], { maxTokens: 0 })).rejects.toMatchObject({
      ...{ code: "invalid_media", medium: 1 },
    });
  });

  describe("a grammar", () => {
    const yesOrNo = (after: string[] = []) => ({ gbnf: 'root ::= "yes" | "no"', after });

    test.each([{}, { logprobs: 2 }])("is kept to from the beginning (%o)", async (more) => {
      const ids = tokensOf(await answer([PNG], { grammar: yesOrNo(), ...more }));
      expect(["yes", "no"]).toContain(textOf(ids));
    });

    test("is kept to after a text of the answer, and ends it", async () => {
      const ids = tokensOf(await answer([PNG]));
      const first = textOf(ids.slice(0, 2));
      const more = { grammar: yesOrNo([first]), maxTokens: 20 };
      const deltas = await answer([PNG], more);
      expect([`${first}yes`, `${first}no`]).toContain(textOf(tokensOf(deltas)));
      expect(deltas.at(-1)!.finish).toBe("stop");
      // Another worker has answered a part of it.
      const part = tokensOf(deltas).slice(0, 3);
      expect(await continued(part, more)).toBe(textOf(tokensOf(deltas).slice(3)));
    });

    test.each([
      ["cannot be read", { gbnf: 'root ::= "yes', after: [] }, "The grammar is not valid"],
      ["would end llama.cpp", { gbnf: "root ::= root", after: [] }, "The grammar is not valid"],
    ])("that %s is refused", async (_, grammar, reason) => {
      await expect(answer([PNG], { grammar })).rejects.toThrow(reason);
    });

    test("that what has been answered does not fit is refused", async () => {
      const other = Array.from(await engine.tokenize!("maybe"));
      await expect(continued(other, { grammar: yesOrNo() })).rejects.toThrow("does not fit the grammar");
      expect(tokensOf(await answer([PNG], { maxTokens: 1 }))).toHaveLength(1);
    });

    /** The rest of an answer to a question about a picture. */
    async function continued(part: readonly number[], more: object): Promise<string> {
      const [before, after] = await Promise.all([engine.tokenize!(BEFORE), engine.tokenize!(AFTER)]);
      const request = requestFor(Uint32Array.from([...before, ...after, ...part]), {
        ...{ answered: part.length, media: [picture(PNG, before.length)], ...more },
      });
      const sampling = { ...request.sampling, temperature: 0 };
      return textOf(tokensOf(await collect(engine.generate({ ...request, sampling }, never))));
    }
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

  test.each<[string, Partial<GenerateRequest["sampling"]>]>([
    ["as they are", {}],
    ["with penalties and a bias", { repetitionPenalty: 1.3, presencePenalty: 0.5, logitBias: [[28, 3]] }],
    ["with a temperature and few candidates", { temperature: 0.7, topK: 5, seed: 3 }],
  ])("gives a text's log probabilities, %s, as prompts without media have them", async (_, settings) => {
    const tokens = await engine.tokenize!(`${BEFORE}What is a cat?${AFTER}`);
    const sampling = { ...requestFor(tokens).sampling, temperature: 0, ...settings };
    const request = { ...requestFor(tokens, { maxTokens: 3, logprobs: 4 }), sampling };
    const text = await collect(engine.generate(request, never));
    // With an empty list of media, the same prompt goes the other way.
    const other = await collect(engine.generate({ ...request, media: [] }, never));
    const [expected, given] = [text, other].map((deltas) => deltas.flatMap(({ logprobs = [] }) => logprobs));
    for (const [index, { top }] of expected!.entries()) {
      // What follows another choice is another text.
      if (index > 0 && tokensOf(text)[index - 1] !== tokensOf(other)[index - 1]) break;
      expect(given![index]!.top.map(([id]) => id)).toEqual(top.map(([id]) => id));
      for (const [place, [, logprob]] of top.entries())
        expect(given![index]!.top[place]![1]).toBeCloseTo(logprob, 1);
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
    ["a picture that cannot be decoded", [PNG.slice(0, 80)], {}, "damaged"],
    ["the prompt's log probabilities", [PNG], { echoLogprobs: true }, "log probabilities"],
    ["a LoRA adapter", [PNG], { loraName: "poet" }, "LoRA"],
    ["other formats", [], { media: [picture(JPEG, 0, "image/webp")] }, "Send PNG"],
  ])("refuses %s", async (_, pictures, more, reason) => {
    await expect(answer(pictures, more)).rejects.toThrow(reason);
    expect(tokensOf(await answer([PNG], { maxTokens: 1 }))).toHaveLength(1);
  });

  test("refuses a prompt that is too long with its pictures", async () => {
    await expect(answer(Array.from({ length: 40 }, () => PNG))).rejects.toThrow(
      "this model has a context of 512",
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

/** A PNG of noise. */
function noise(width: number, height: number, seed: number): string {
  const random = seededRandom(seed);
  const pixels = Uint8Array.from({ length: width * height * 4 }, () => random() * 256);
  return Buffer.from(pngOf(width, height, pixels)).toString("base64");
}

const sound = (hertz: number, position: number): PromptMedium => ({
  ...{ kind: "audio", type: "audio/wav", position },
  data: wav(tone(hertz, 1, 16_000), 16_000),
});

const urlOf = ({ type, data }: PromptMedium) => `data:${type};base64,${Buffer.from(data).toString("base64")}`;

describe("other families", () => {
  const pictures = (position: number) =>
    [noise(64, 64, 1), noise(100, 40, 2), noise(40, 100, 3)].map((base64) => picture(base64, position));
  const sounds = (position: number) => [440, 2_000].map((hertz) => sound(hertz, position));

  test.each<[string, typeof tinyQwen2Vl, (position: number) => PromptMedium[]]>([
    ["pictures whose parts have positions in several dimensions", tinyQwen2Vl, pictures],
    ["pictures whose parts see each other", tinyGemma3, pictures],
    ["sounds", tinyQwen2Audio, sounds],
  ])("with %s answer as llama.cpp does when it is asked directly", async (_, make, mediaAt) => {
    const model = await make(folder);
    const options = { ...model, threads: 1, contextLength: 2048, log };
    const [other, encoder] = [await openLlama(options), await openLlama({ ...options, encodesOnly: true })];
    try {
      const parts = ["<|im_start|>user\nLook:", "<|im_end|>"] as const;
      const [before, after] = await Promise.all(parts.map((part) => other.tokenize!(part)));
      const media = mediaAt(before!.length);
      const expected = await oracleAnswers(model, parts, media.map(urlOf), TINY_TOKENS);
      expect(new Set(expected.map(({ text }) => text)).size).toBe(media.length);
      for (const [index, medium] of media.entries()) {
        const request = requestFor(Uint32Array.from([...before!, ...after!]), {
          ...{ maxTokens: TINY_TOKENS, ignoreEos: false, media: [medium] },
        });
        const sampling = { ...request.sampling, temperature: 0 };
        const answerOf = async (more: object) =>
          collect(other.generate({ ...request, sampling, ...more }, never));
        for (const isCached of [false, true]) {
          const deltas = await answerOf({});
          expect(textOf(tokensOf(deltas), other)).toBe(expected[index]!.text);
          const { cachedTokens, mediaTokens } = deltas[0]!;
          const all = request.tokens.length + mediaTokens!;
          if (isCached) expect(cachedTokens).toBe(all - 1);
          else expect(cachedTokens).toBeLessThanOrEqual(before!.length);
        }
        // Encoded by another worker, and with nothing in the cache.
        const [encoded] = await encoder.encode!([{ ...medium, id: "1" }], never);
        if (encoded?.kind !== "features") throw new Error(`The medium is ${encoded?.kind}.`);
        const features = [{ ...medium, encoded: encoded.features }];
        const separated = await answerOf({ media: features, cacheSalt: crypto.randomUUID() });
        expect(textOf(tokensOf(separated), other)).toBe(expected[index]!.text);
      }
    } finally {
      await Promise.all([other.close(), encoder.close()]);
    }
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
      /** Nothing that was computed for another request is of use. */
      const fresh = () => ({ cacheSalt: crypto.randomUUID(), logprobs: 2 });
      const given = (base64: string, encoded: Uint8Array) =>
        answer([base64], { ...fresh(), media: [{ ...picture(base64, length), encoded }] });
      const [whole, other] = [await answer([PNG], fresh()), await answer([OTHER_PNG], fresh())];
      expect(whole).not.toEqual(other);
      expect(await given(PNG, first.features)).toEqual(whole);
      // It is the features that count.
      expect(await given(PNG, second.features)).toEqual(other);
      // What is no use is made anew.
      expect(await given(PNG, first.features.slice(0, 100))).toEqual(whole);
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
