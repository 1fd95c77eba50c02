import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameParser } from "./frame-parser.ts";
import { FrameWriter } from "./frame-writer.ts";

type Frame = [type: number, stream: number, payload: number[]];

const frame: fc.Arbitrary<Frame> = fc.tuple(
  fc.integer({ min: 0, max: 255 }),
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
);

function encode(frames: Frame[]): Uint8Array {
  const written: Uint8Array[] = [];
  const writer = new FrameWriter({
    detectsSilence: false,
    start() {},
    end() {},
    destroy() {},
    write: (bytes, done) => {
      written.push(bytes.slice());
      done();
    },
  });
  for (const [type, stream, payload] of frames) writer.frame(type, stream, Uint8Array.from(payload));
  writer.flush();
  return Uint8Array.from(Buffer.concat(written));
}

function collect(limit = 1_000_000) {
  const frames: Frame[] = [];
  const onFrame = (type: number, stream: number, payload: Uint8Array) =>
    frames.push([type, stream, [...payload]]);
  return { frames, parser: new FrameParser({ onFrame }, limit) };
}

describe("frames", () => {
  test("are parsed unchanged, however the bytes are split", () => {
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.nat(2_000)), (frames, cuts) => {
        const stream = encode(frames);
        const { frames: seen, parser } = collect();
        const bounds = [
          0,
          ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b),
          stream.length,
        ];
        for (let i = 1; i < bounds.length; i++) parser.push(stream.slice(bounds[i - 1], bounds[i]));
        expect(seen).toEqual(frames);
      }),
    );
  });

  test("are parsed from single bytes", () => {
    const frames: Frame[] = [
      [5, 1, [1, 2, 3]],
      [6, 2, []],
      [5, 0xfffffffe, new Array(3_000).fill(7)],
    ];
    const { frames: seen, parser } = collect();
    for (const byte of encode(frames)) parser.push(Uint8Array.of(byte));
    expect(seen).toEqual(frames);
  });

  test("over the limit are refused, also if their header is split", () => {
    const stream = encode([[5, 1, new Array(11).fill(0)]]);
    expect(() => collect(10).parser.push(stream)).toThrow(/at most 10/);
    const { parser } = collect(10);
    parser.push(stream.subarray(0, 4));
    expect(() => parser.push(stream.subarray(4))).toThrow(/at most 10/);
  });

  test("are not delivered after stop, even in the middle of a chunk", () => {
    const seen: number[] = [];
    const parser: FrameParser = new FrameParser(
      {
        onFrame(type) {
          seen.push(type);
          parser.stop();
        },
      },
      100,
    );
    parser.push(
      encode([
        [1, 1, []],
        [2, 1, []],
      ]),
    );
    parser.push(encode([[3, 1, []]]));
    expect(seen).toEqual([1]);
  });
});

describe("the frame writer", () => {
  test("writes all frames of a turn at once", async () => {
    const writes: number[] = [];
    const writer = new FrameWriter({
      detectsSilence: false,
      start() {},
      end() {},
      destroy() {},
      write: (bytes, done) => {
        writes.push(bytes.length);
        done();
      },
    });
    for (let i = 0; i < 10; i++) {
      writer.frame(5, i, new Uint8Array(24));
      await Promise.resolve();
    }
    expect(writes).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(writes).toEqual([330]);
  });
});
