import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { defaultModelFolder, fetchModel } from "#cli";
import { createLogger } from "#runtime";
import { smolTokenizerJson } from "../../cli/e2e/tokenizer-json.ts";
import { openHuggingFaceTokenizer } from "../prompts/tokenizers/huggingface.ts";
import type { Tokenizer } from "../prompts/tokenizers/tokenizer.ts";
import { Detokenizer } from "../requests/tokens/detokenizer.ts";
import { nativeEncoderFactory } from "./node/encoder.ts";
import { createPortableEncoder } from "./portable-encoder.ts";

const lines: string[] = [];
const log = createLogger({ name: "test", write: (line) => void lines.push(line) });

const TEXTS = [
  "Hello, world! It's 2026 and they're fine.",
  "<|im_start|>user\nWhat is 12345 + 67?<|im_end|>\n<|im_start|>assistant\n",
  "naïve café 日本語のテキスト 🧑‍🚀🦄   spaces\t\ttabs\r\n",
  "function f(x) { return x ** 2; } // <|endoftext|> done",
  "x".repeat(2000),
];

describe.each([
  ["native", nativeEncoderFactory(log)],
  ["portable", createPortableEncoder],
] as const)("a tokenizer.json, %s", (_, factory) => {
  let tokenizer: Tokenizer;
  let reference: Tokenizer;

  beforeAll(async () => {
    const { path } = await fetchModel(undefined, { folder: defaultModelFolder() });
    const json = await smolTokenizerJson(path);
    tokenizer = await openHuggingFaceTokenizer(json, factory);
    reference = await engineTokenizer(path, tokenizer);
  });

  test("returns the same ids as the engine's own tokenizer", async () => {
    for (const text of TEXTS) expect(await tokenizer.encode(text)).toEqual(await reference.encode(text));
    // The portable library splits only at ASCII digits; the model splits at every Unicode numeral.
    const unicode = fc.string({ unit: "grapheme" }).filter((text) => !/[^\P{N}0-9]/u.test(text));
    const piece = fc.oneof(fc.string(), unicode, fc.constantFrom("<|im_end|>", "\n", " 7"));
    await fc.assert(
      fc.asyncProperty(fc.array(piece), async (pieces) => {
        const text = pieces.join("");
        expect(await tokenizer.encode(text)).toEqual(await reference.encode(text));
      }),
    );
  });

  test("detokenizes them to the original text, without control tokens", async () => {
    for (const text of TEXTS) {
      const detokenizer = new Detokenizer(tokenizer.vocabulary);
      const ids = await tokenizer.encode(text);
      const back = Array.from(ids, (id) => detokenizer.push(id)).join("") + detokenizer.flush();
      expect(back).toBe(text.replace(/<\|\w+\|>/g, ""));
    }
  });
});

test("the native tokenizer loads without a warning", () => {
  expect(lines).toEqual([]);
});

async function engineTokenizer(modelPath: string, { vocabulary }: Tokenizer): Promise<Tokenizer> {
  const { getLlama } = await import("node-llama-cpp");
  const llama = await getLlama({ build: "never", gpu: false, progressLogs: false });
  const model = await llama.loadModel({ modelPath, vocabOnly: true } as Parameters<
    typeof llama.loadModel
  >[0]);
  return { vocabulary, encode: async (text) => Uint32Array.from(model.tokenize(text, true)) };
}
