import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlaneError } from "../request-plane/types.ts";
import { bytesToTokens, decodeTokenizeRequest, encodeTokenizeRequest, tokensToBytes } from "./tokens.ts";

describe("token ids", () => {
  test("survive a round trip, at any alignment", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffffffff })), fc.nat(3), (ids, shift) => {
        const bytes = tokensToBytes(Uint32Array.from(ids));
        const shifted = new Uint8Array(bytes.length + shift);
        shifted.set(bytes, shift);
        expect([...bytesToTokens(shifted.subarray(shift))]).toEqual(ids);
      }),
    );
  });

  test("are refused if bytes are missing", () => {
    expect(() => bytesToTokens(new Uint8Array(6))).toThrow(PlaneError);
  });
});

describe("tokenize requests", () => {
  test("survive a round trip", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.boolean(), (text, special) => {
        expect(decodeTokenizeRequest(encodeTokenizeRequest({ text, special }))).toEqual({ text, special });
      }),
    );
    expect(decodeTokenizeRequest(encodeTokenizeRequest({ text: "\ufeffa", special: true })).text).toBe(
      "\ufeffa",
    );
  });

  test("are refused if malformed", () => {
    for (const payload of [[0], [10, 2, 65], [10, 1, 0xff]]) {
      expect(() => decodeTokenizeRequest(Uint8Array.from(payload))).toThrow(PlaneError);
    }
  });
});
