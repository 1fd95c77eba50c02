import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cosineSimilarity, shortened, toBase64 } from "./vector-math.ts";

const vector = (length: number) =>
  fc.float32Array({ minLength: length, maxLength: length, noNaN: true, min: -1e6, max: 1e6 });

describe("a shortened vector", () => {
  test("points where the first dimensions do, at unit length", () => {
    expect(Array.from(shortened(Float32Array.of(3, 4, 12), 2))).toEqual([
      Math.fround(3 / 5),
      Math.fround(4 / 5),
    ]);
    expect(Array.from(shortened(Float32Array.of(0, 5), 2))).toEqual([0, 1]);
    fc.assert(
      fc.property(vector(8), fc.integer({ min: 1, max: 8 }), (whole, dimensions) => {
        const short = shortened(whole, dimensions);
        expect(short).toHaveLength(dimensions);
        const norm = Math.hypot(...short);
        if (whole.subarray(0, dimensions).some((value) => Math.abs(value) > 1e-15))
          expect(norm).toBeCloseTo(1, 5);
      }),
    );
  });

  test("leaves a vector without direction as it is", () => {
    expect(Array.from(shortened(Float32Array.of(0, 0, 1), 2))).toEqual([0, 0]);
  });

  test("cannot be longer than the whole", () => {
    expect(() => shortened(Float32Array.of(1, 2), 3)).toThrow(
      expect.objectContaining({
        status: 400,
        param: "dimensions",
        message: expect.stringContaining("have 2 dimensions"),
      }),
    );
  });
});

test("cosine similarity is symmetric, within its bounds, and 1 for the same direction", () => {
  expect(cosineSimilarity(Float32Array.of(1, 0), Float32Array.of(0, 2))).toBe(0);
  expect(cosineSimilarity(Float32Array.of(1, 2), Float32Array.of(-2, -4))).toBeCloseTo(-1, 12);
  expect(cosineSimilarity(Float32Array.of(0, 0), Float32Array.of(1, 2))).toBe(0);
  fc.assert(
    fc.property(vector(5), vector(5), (a, b) => {
      const similarity = cosineSimilarity(a, b);
      expect(similarity).toBe(cosineSimilarity(b, a));
      expect(Math.abs(similarity)).toBeLessThanOrEqual(1);
    }),
  );
});

test("base64 holds little-endian 32-bit floats, also of a part of a buffer", () => {
  const part = Float32Array.of(9, 1, -0.5).subarray(1);
  const bytes = Buffer.from(toBase64(part), "base64");
  expect([bytes.length, bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([8, 1, -0.5]);
});
