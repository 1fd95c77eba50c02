import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePrefillResponse, encodePrefillResponse } from "./prefill.ts";

const kv = fc.record({
  format: fc.string(),
  tokens: fc.integer({ min: 0, max: 0xffffffff }),
  bytes: fc.maxSafeNat(),
  agent: fc.uint8Array(),
  memory: fc.uint8Array(),
});
const response = fc
  .tuple(fc.uint8Array(), fc.option(kv))
  .map(([delta, kv]) => ({ delta, ...(kv && { kv }) }));

describe("prefill answers", () => {
  test("survive a round trip", () => {
    fc.assert(
      fc.property(response, (wanted) => {
        expect(decodePrefillResponse(encodePrefillResponse(wanted))).toEqual(wanted);
      }),
    );
  });

  test("own their memory", () => {
    const message = encodePrefillResponse({ delta: Uint8Array.of(1, 2, 3) });
    const decoded = decodePrefillResponse(message);
    message.fill(0);
    expect([...decoded.delta]).toEqual([1, 2, 3]);
  });

  test("are refused if malformed", () => {
    for (const bytes of [Uint8Array.of(0xc1), Uint8Array.of(10, 4, 1)])
      expect(() => decodePrefillResponse(bytes)).toThrow(
        expect.objectContaining({ code: "invalid_request" }),
      );
  });
});
