import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTokenizer } from "./tokenizer.ts";
import { createVocabulary } from "./vocabulary.ts";

const utf8 = new TextEncoder();
const CONTROL = ["<|start|>", "<|end|>", "<|start|>long"];

const vocabulary = createVocabulary([
  ...Array.from({ length: 256 }, (_, byte) => ({ bytes: Uint8Array.of(byte), control: false })),
  ...CONTROL.map((text) => ({ bytes: utf8.encode(text), control: true })),
]);

/** Encodes bytes as tokens, and recognises control tokens, longest first; records the encoded texts. */
function countingEncoder() {
  const asked: string[] = [];
  const pattern = /(<\|start\|>long|<\|start\|>|<\|end\|>)/;
  const encode = async (text: string) => {
    asked.push(text);
    const ids = text.split(pattern).flatMap((part) => {
      const control = CONTROL.indexOf(part);
      return control >= 0 ? [256 + control] : [...utf8.encode(part)];
    });
    return Uint32Array.from(ids);
  };
  return { asked, encode };
}

describe("a tokenizer with a cache of parts", () => {
  test("returns the same tokens as the encoder for the whole text", async () => {
    const piece = fc.oneof(fc.constantFrom(...CONTROL), fc.string({ unit: "grapheme" }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(piece)), async (texts) => {
        const { encode } = countingEncoder();
        const tokenizer = createTokenizer(vocabulary, encode);
        for (const parts of texts) {
          const text = parts.join("");
          expect(await tokenizer.encode(text)).toEqual(await encode(text));
        }
      }),
    );
  });

  test("encodes each part of a conversation once", async () => {
    const { asked, encode } = countingEncoder();
    const tokenizer = createTokenizer(vocabulary, encode);
    const first = "<|start|>system\nBe kind.<|end|><|start|>user\nHi<|end|>";
    await tokenizer.encode(first);
    asked.length = 0;
    await tokenizer.encode(`${first}<|start|>assistant\nHello!<|end|>`);
    expect(asked).toEqual(["<|start|>assistant\nHello!"]);
  });

  test("shares work between concurrent calls", async () => {
    const { asked, encode } = countingEncoder();
    const tokenizer = createTokenizer(vocabulary, encode);
    await Promise.all([tokenizer.encode("same"), tokenizer.encode("same")]);
    expect(asked).toEqual(["same"]);
  });

  test("evicts the least recently used parts beyond its limit", async () => {
    const { asked, encode } = countingEncoder();
    const tokenizer = createTokenizer(vocabulary, encode, { cacheBytes: 2_000 });
    const texts = [
      "a".repeat(40),
      "b".repeat(40),
      "c".repeat(40),
      "d".repeat(40),
      "e".repeat(40),
      "f".repeat(40),
    ];
    for (const text of texts) await tokenizer.encode(text);
    asked.length = 0;
    await tokenizer.encode(texts[5]!);
    await tokenizer.encode(texts[0]!);
    expect(asked).toEqual([texts[0]]);
  });

  test("does not cache failures", async () => {
    let fails = true;
    const tokenizer = createTokenizer(vocabulary, async () => {
      if (fails) throw new Error("no worker");
      return Uint32Array.of(1);
    });
    await expect(tokenizer.encode("x")).rejects.toThrow("no worker");
    fails = false;
    expect(await tokenizer.encode("x")).toEqual(Uint32Array.of(1));
  });

  test("does not split text for encoders that depend on the preceding text", async () => {
    const { asked, encode } = countingEncoder();
    const tokenizer = createTokenizer(vocabulary, encode, { splitsAtControlTokens: false });
    await tokenizer.encode("a<|end|>b");
    expect(asked).toEqual(["a<|end|>b"]);
  });
});
