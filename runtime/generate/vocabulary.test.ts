import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlaneError } from "../request-plane/types.ts";
import { EncodedVocabulary, encodeVocabulary } from "./vocabulary.ts";

const piece = fc.record({
  bytes: fc.uint8Array({ maxLength: 20 }),
  control: fc.boolean(),
  unused: fc.boolean(),
});

describe("vocabularies", () => {
  test("survive a round trip", () => {
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const vocabulary = new EncodedVocabulary(encodeVocabulary(pieces));
        expect(vocabulary.size).toBe(pieces.length);
        pieces.forEach(({ bytes, control, unused }, id) => {
          expect([...vocabulary.piece(id)]).toEqual([...bytes]);
          expect(vocabulary.isControl(id)).toBe(control);
          expect(vocabulary.isUnused(id)).toBe(unused);
        });
      }),
    );
  });

  test("an id outside the vocabulary has no bytes and no flags", () => {
    const vocabulary = new EncodedVocabulary(encodeVocabulary([{ bytes: Uint8Array.of(1), control: true }]));
    for (const id of [-1, 1, 7]) {
      expect(vocabulary.piece(id)).toHaveLength(0);
      expect(vocabulary.isControl(id)).toBe(false);
    }
  });

  test("a too long piece is refused", () => {
    expect(() => encodeVocabulary([{ bytes: new Uint8Array(65_536) }])).toThrow(RangeError);
  });

  test("malformed bytes are refused", () => {
    const good = encodeVocabulary([{ bytes: Uint8Array.of(1, 2) }, { bytes: Uint8Array.of(3) }]);
    for (let length = 0; length < good.length; length++) {
      expect(() => new EncodedVocabulary(good.subarray(0, length))).toThrow(PlaneError);
    }
    expect(() => new EncodedVocabulary(Uint8Array.of(...good, 0))).toThrow(PlaneError);
    expect(() => new EncodedVocabulary(Uint8Array.of(255, 255, 255, 255))).toThrow(PlaneError);
  });
});
