import fc from "fast-check";
import { expect, test } from "vitest";
import { TextTokens } from "./text-tokens.ts";

const bytes = Array.from({ length: 256 }, (_, byte) => ({ bytes: Uint8Array.of(byte) }));
const words = ["he", "hello", " world", "\u{1f31f}", "<|end|>"].map((text) => ({
  bytes: new TextEncoder().encode(text),
}));
const END = bytes.length + words.length;
const control = (text: string) => ({ bytes: new TextEncoder().encode(text), control: true });
const vocabulary = [...bytes, ...words, control("<|end|>"), control("<|start|>")];
const tokens = new TextTokens(vocabulary);

test("text of one token is that token, whatever others could make it up", () => {
  expect(tokens.of("hello")).toEqual([257]);
  expect(tokens.of("\u{1f31f}")).toEqual([259]);
});

test("a control token is meant only if no other has its text", () => {
  expect(tokens.of("<|start|>")).toEqual([END + 1]);
  expect(tokens.of("<|end|>")).toEqual([END - 1]);
});

test("other text is made up of tokens without losing a byte", () => {
  expect(tokens.of("hello world!")).toEqual([257, 258, "!".charCodeAt(0)]);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const found = tokens.of(text).map((id) => vocabulary[id]!.bytes);
      expect(Buffer.concat(found).toString()).toBe(Buffer.from(text).toString());
    }),
  );
});
