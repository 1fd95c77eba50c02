import { describe, expect, test } from "vitest";
import type { TokenPiece } from "#runtime";
import { promptText } from "./prompt-text.ts";

const piece = (text: string, control = false): TokenPiece => ({
  bytes: new TextEncoder().encode(text),
  control,
});
const vocabulary = [
  piece("<s>", true),
  piece(" Hello"),
  piece(" world"),
  piece("<|end|>", true),
  piece("<__me"),
  piece("dia__>"),
  { bytes: Uint8Array.of(0xc3) },
  { bytes: Uint8Array.of(0xa9) },
];
const rules = { vocabulary, addBos: true, bosTokenId: 0, addsSpaces: false };
const at = (...positions: number[]) => positions.map((position) => ({ position }));
const textOf = (tokens: number[], media = at(), more = {}) =>
  promptText(Uint32Array.from(tokens), media, { ...rules, ...more });

describe("a prompt's text", () => {
  test("has a marker in the place of each medium, and characters whole", () => {
    expect(textOf([1, 6, 7, 2], at(0, 3, 3, 4))).toBe(
      "<__media__> Hello\u00e9<__media__><__media__> world<__media__>",
    );
  });

  test("has no beginning-of-sequence token, which llama.cpp adds itself", () => {
    expect(textOf([0, 1], at(1))).toBe("<__media__> Hello");
    expect(textOf([0, 1], at(0))).toBe("<__media__> Hello");
    expect(textOf([0, 1], at(1), { addBos: false })).toBe("<s><__media__> Hello");
  });

  test("has no spaces that the tokenizer adds again", () => {
    const more = { addsSpaces: true };
    expect(textOf([0, 1, 2, 3, 1, 2], at(3), more)).toBe("Hello world<__media__><|end|>Hello world");
  });

  test("is refused if it has a marker itself", () => {
    expect(() => textOf([1, 4, 5], at(1))).toThrow("cannot be in a prompt with media");
  });
});
