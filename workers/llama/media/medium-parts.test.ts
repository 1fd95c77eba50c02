import { expect, test } from "vitest";
import { type MediumPart, packParts, unpackParts } from "./medium-parts.ts";

const WIDTH = 2;
const VOCABULARY = 100;

const parts: MediumPart[] = [
  { kind: "text", tokens: Int32Array.of(7, 99) },
  {
    ...{ kind: "rows", count: 3, positions: 2, isCausal: true },
    places: {
      values: Int32Array.from({ length: 12 }, (_, index) => index),
      shifts: Int32Array.of(1, 1, 1, 0),
    },
    embeddings: Float32Array.of(1, 2, 3, 4, 5, 6),
  },
  { kind: "text", tokens: Int32Array.of(1) },
  { kind: "rows", count: 1, positions: 1, isCausal: false, embeddings: Float32Array.of(-1, 0.5) },
];

test("parts are read as they were written, wherever their bytes lie", () => {
  const packed = packParts(parts, WIDTH);
  const unaligned = new Uint8Array(packed.length + 3).subarray(3);
  unaligned.set(packed);
  for (const bytes of [unaligned, Buffer.from(unaligned)])
    expect(unpackParts(bytes, WIDTH, VOCABULARY)).toEqual(parts);
});

test("other bytes, and those for another model, are refused", () => {
  const packed = packParts(parts, WIDTH);
  const changed = (index: number, value: number) => {
    const numbers = new Int32Array(packed.slice().buffer);
    numbers[index] = value;
    return new Uint8Array(numbers.buffer);
  };
  const bad = [
    ...[new Uint8Array(), packed.slice(0, -1), packed.slice(0, -4), new Uint8Array([...packed, 0, 0, 0, 0])],
    // Their number; a token; a kind; lengths and positions.
    ...[changed(0, -1), changed(0, 2 ** 30), changed(5, VOCABULARY), changed(5, -1), changed(2, 8)],
    ...[changed(3, 0), changed(3, 2 ** 30), changed(8, -3), changed(9, 4), changed(9, 0)],
  ];
  for (const [index, bytes] of bad.entries())
    expect(() => unpackParts(bytes, WIDTH, VOCABULARY), `number ${index}`).toThrow("features of a medium");
  expect(() => unpackParts(packed, WIDTH + 1, VOCABULARY)).toThrow("features of a medium");
});
