import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createVocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import { Detokenizer } from "./detokenizer.ts";

const utf8 = new TextEncoder();

/** The text for each of these tokens, given as bytes, followed by the flushed rest. */
function detokenize(tokens: readonly Uint8Array[]): string[] {
  const vocabulary = createVocabulary(tokens.map((bytes) => ({ bytes, control: false })));
  const detokenizer = new Detokenizer(vocabulary);
  return [...tokens.map((_, id) => detokenizer.push(id)), detokenizer.flush()];
}

const whole = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const places = fc.array(fc.nat({ max: 200 }), { maxLength: 40 });

describe("detokenizer", () => {
  test("returns text of whole characters at once", () => {
    expect(detokenize([utf8.encode("Hello"), utf8.encode(" wörld")])).toEqual(["Hello", " wörld", ""]);
  });

  test("returns an emoji spread over several tokens with its last byte", () => {
    const [a, b, c, d] = utf8.encode("😀");
    expect(detokenize([Uint8Array.of(a!), Uint8Array.of(b!, c!), Uint8Array.of(d!, 0x21)])).toEqual([
      "",
      "",
      "😀!",
      "",
    ]);
  });

  test("flushes an incomplete emoji as one U+FFFD", () => {
    expect(detokenize([utf8.encode("😀").subarray(0, 3)])).toEqual(["", "\ufffd"]);
  });

  test("returns U+FFFD at once for bytes that cannot start a character", () => {
    expect(detokenize([Uint8Array.of(0x80), Uint8Array.of(0xff), Uint8Array.of(0xc0)])).toEqual([
      "\ufffd",
      "\ufffd",
      "\ufffd",
      "",
    ]);
  });

  test("replaces a held character that is not continued by U+FFFD before the next text", () => {
    expect(detokenize([Uint8Array.of(0xe2, 0x82), utf8.encode("x")])).toEqual(["", "\ufffdx", ""]);
  });

  test("treats a byte order mark as ordinary text", () => {
    expect(detokenize([utf8.encode("\ufeff"), utf8.encode("\ufeffa")])).toEqual(["\ufeff", "\ufeffa", ""]);
  });

  test("returns no text for control tokens and ids outside the vocabulary", () => {
    const vocabulary = createVocabulary([{ bytes: utf8.encode("<|im_end|>"), control: true }]);
    const detokenizer = new Detokenizer(vocabulary);
    expect([detokenizer.push(0), detokenizer.push(77), detokenizer.flush()]).toEqual(["", "", ""]);
  });

  test("returns text cut anywhere in full, and never splits a character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), places, (text, at) => {
        const pieces = detokenize(cut(utf8.encode(text), at));
        expect(pieces.join("")).toBe(text.toWellFormed());
        for (const piece of pieces) expect(piece.isWellFormed() && !piece.includes("\ufffd")).toBe(true);
      }),
    );
  });

  test("decodes any bytes, cut anywhere, as TextDecoder decodes them in one piece", () => {
    // Mostly bytes of multi-byte UTF-8 characters, so that many sequences almost form one.
    const byte = fc.oneof(
      fc.nat({ max: 255 }),
      fc.constantFrom(0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x9f, 0x41),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), places, (bytes, at) => {
        const all = Uint8Array.from(bytes);
        expect(detokenize(cut(all, at)).join("")).toBe(whole(all));
      }),
      { numRuns: 3_000 },
    );
  });
});
