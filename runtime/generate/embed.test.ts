import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeEmbeddings, decodeEmbedRequest, encodeEmbeddings, encodeEmbedRequest } from "./embed.ts";

describe("embed messages", () => {
  test("requests survive a round trip", () => {
    const inputs = fc.array(fc.uint32Array());
    fc.assert(
      fc.property(inputs, (tokens) => {
        expect(decodeEmbedRequest(encodeEmbedRequest(tokens))).toEqual(tokens);
      }),
    );
  });

  test("vectors survive a round trip", () => {
    const vectors = fc.array(fc.float32Array({ noNaN: true }));
    fc.assert(
      fc.property(vectors, (wanted) => {
        expect(decodeEmbeddings(encodeEmbeddings(wanted))).toEqual(wanted);
      }),
    );
  });

  test.each([[[0]], [[10, 4, 1]], [[10, 3, 1, 2, 3]]])("%j is an invalid request", (bytes) => {
    expect(() => decodeEmbedRequest(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
    expect(() => decodeEmbeddings(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: "invalid_request" }),
    );
  });
});
