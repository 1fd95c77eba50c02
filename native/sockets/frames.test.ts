import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeFrame, type Frame, FrameReader, MAX_BODY } from "./frames.ts";

const part = fc.uint8Array({ maxLength: 40 });
const frame = fc.record({ type: fc.nat(255), id: fc.nat(2 ** 32 - 1), head: part, body: part });

it("reads frames from a stream that is cut anywhere, and puts bodies where they belong", () => {
  fc.assert(
    fc.property(fc.array(frame), fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (frames, cuts) => {
      const stream = Buffer.concat(
        frames.flatMap(({ type, id, head, body }) => [encodeFrame(type, id, head, body.length), body]),
      );
      const seen: { type: number; id: number; head: number[]; body: number[] }[] = [];
      let targets: Buffer[] = [];
      const reader = new FrameReader({
        onHead: ({ bodyLength }: Frame) => {
          const first = Math.floor(bodyLength / 3);
          targets = [Buffer.alloc(first), Buffer.alloc(bodyLength - first)].filter(
            ({ length }) => length > 0,
          );
          return targets;
        },
        onEnd: ({ type, id, head }) =>
          seen.push({ type, id, head: [...head], body: [...Buffer.concat(targets)] }),
      });
      for (let at = 0; at < stream.length; ) {
        const length = cuts.next().value!;
        reader.push(stream.subarray(at, at + length));
        at += length;
      }
      expect(seen).toEqual(
        frames.map(({ head, body, ...rest }) => ({ ...rest, head: [...head], body: [...body] })),
      );
    }),
  );
});

it("refuses frames that are too long before they arrive", () => {
  const reader = () => new FrameReader({ onHead: () => undefined, onEnd: () => {} });
  expect(() => reader().push(encodeFrame(1, 1, Buffer.alloc(0), MAX_BODY + 1))).toThrow("too long");
  expect(() => reader().push(encodeFrame(1, 1, Buffer.alloc(2 ** 18 + 1)))).toThrow("too long");
});
