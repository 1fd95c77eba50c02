import fc from "fast-check";
import { expect, test } from "vitest";
import { SentBytes } from "./sent-bytes.ts";

test("returns the appended bytes and their tail, however they are cut into pieces", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ max: 127, maxLength: 40_000 }), { maxLength: 6 }), (pieces) => {
      const sent = new SentBytes(1_000_000);
      for (const piece of pieces) sent.append(piece, false);
      const all = Buffer.concat(pieces);
      expect(Buffer.from(sent.read()).equals(all)).toBe(true);
      expect(Buffer.from(sent.tail(100), "latin1").equals(all.subarray(Math.max(0, all.length - 100)))).toBe(
        true,
      );
    }),
    { numRuns: 50 },
  );
});

test("keeps its own copy, so that the pieces' memory can be reused", () => {
  const sent = new SentBytes(100);
  const piece = Buffer.from("abc");
  sent.append(piece, false);
  piece.fill("x");
  expect(Buffer.from(sent.read()).toString()).toBe("abc");
});

test("keeps only the tail beyond its limit", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ max: 127, maxLength: 40_000 }), { maxLength: 6 }), (pieces) => {
      const sent = new SentBytes(30_000);
      for (const piece of pieces) sent.append(piece, false);
      const all = Buffer.concat(pieces);
      expect(sent.isWhole).toBe(all.length <= 30_000);
      if (!sent.isWhole) expect(sent.read().length).toBe(0);
      expect(sent.tail(4096)).toBe(all.subarray(Math.max(0, all.length - 4096)).toString("latin1"));
    }),
    { numRuns: 50 },
  );
});

test("strips HTTP chunk framing up to the first unframed piece", () => {
  const sent = new SentBytes(100);
  sent.append(Buffer.from("3\r\nabc\r\n2\r\nde\r\n"), true);
  expect(Buffer.from(sent.read()).toString()).toBe("abcde");
  sent.append(Buffer.from("fg\r\n"), false);
  expect(Buffer.from(sent.read()).toString()).toBe("abcdefg\r\n");
});
