import { expect, test } from "vitest";
import { Vocabulary } from "./vocabulary.ts";

const utf8 = new TextEncoder();

function file(pieces: readonly string[]): Uint8Array {
  return Buffer.concat(
    pieces.map((piece) => {
      const bytes = utf8.encode(piece);
      const head =
        bytes.length < 128 ? [bytes.length] : [128 + (bytes.length % 128), Math.floor(bytes.length / 128)];
      return Buffer.concat([Uint8Array.from(head), bytes]);
    }),
  );
}

const LONG = "x".repeat(300);
const PIECES = ["<unk>", "<s>", "</s>", "<0xE2>", "<0x82>", "<0xAC>", "▁Ever", "▁tried", ".", LONG];

function read(tokens: readonly number[]): string[] {
  const reader = new Vocabulary(file(PIECES)).reader();
  return [...tokens.map((token) => reader.read(token)), reader.end()];
}

test("spaces are written as spaces, and control tokens as nothing", () => {
  expect(read([1, 6, 7, 8, 2])).toEqual(["", " Ever", " tried", ".", "", ""]);
});

test("a character of several tokens appears with its last one", () => {
  expect(read([3, 4, 5])).toEqual(["", "", "€", ""]);
  expect(read([3, 4])).toEqual(["", "", "\ufffd"]);
});

test("pieces of more than 127 bytes, and tokens without a piece", () => {
  expect(read([9, 500])).toEqual([LONG, "", ""]);
  expect(new Vocabulary(file(PIECES)).size).toBe(10);
});

test("a file that is cut off or empty is refused", () => {
  expect(() => new Vocabulary(file(PIECES).subarray(0, -1))).toThrow("cut off");
  expect(() => new Vocabulary(new Uint8Array(0))).toThrow("no vocabulary");
});
