import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { FrameReader, greeting, message, pingCommand, readyCommand } from "./framing.ts";

let messages: string[][];
let replies: Buffer[];
let ready: number;
let reader: FrameReader;

beforeEach(() => {
  messages = [];
  replies = [];
  ready = 0;
  reader = new FrameReader({
    onReady: () => ready++,
    onMessage: (frames) => messages.push(frames.map((frame) => frame.toString())),
    reply: (bytes) => replies.push(bytes),
  });
});

const text = (...frames: string[]) => message(frames.map((frame) => Buffer.from(frame)));

describe("what a ZeroMQ socket sends", () => {
  test("is read alike wherever its bytes are cut", () => {
    const long = "x".repeat(70_000);
    const all = Buffer.concat([
      greeting(),
      readyCommand("SUB"),
      text("topic", "", long),
      pingCommand(),
      text("second"),
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(all.length), { maxLength: 6 }), fc.boolean(), (cuts, byByte) => {
        messages = [];
        const cutReader = new FrameReader({
          onReady: () => {},
          onMessage: (frames) => messages.push(frames.map((frame) => frame.toString())),
          reply: () => {},
        });
        // The first hundred bytes one by one: greeting and command.
        const places = byByte ? Array.from({ length: 100 }, (_, index) => index) : [];
        const sorted = [...new Set([0, ...places, ...cuts, all.length])].sort((a, b) => a - b);
        for (let index = 1; index < sorted.length; index++)
          cutReader.push(all.subarray(sorted[index - 1], sorted[index]));
        expect(messages).toEqual([["topic", "", long], ["second"]]);
      }),
      { numRuns: 50 },
    );
  });

  test("says when it is ready, and is answered a sign of life with its context", () => {
    reader.push(Buffer.concat([greeting(), readyCommand("DEALER")]));
    expect(ready).toBe(1);
    // A PING with a time of 0x000a and the context "abc".
    reader.push(Buffer.from("\u0004\u000a\u0004PING\u0000\u000aabc", "latin1"));
    expect(replies.map((bytes) => bytes.toString("latin1"))).toEqual(["\u0004\u0008\u0004PONGabc"]);
  });

  test.each([
    ["another protocol", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    [
      "an old version",
      Buffer.concat([Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1]), Buffer.alloc(53)]),
    ],
    ["encryption", Buffer.concat([greeting().subarray(0, 12), Buffer.from("CURVE"), Buffer.alloc(47)])],
    ["a frame of a terabyte", Buffer.concat([greeting(), Buffer.from([2, 0, 0, 1, 0, 0, 0, 0, 0])])],
    ["a refusal", Buffer.concat([greeting(), Buffer.from("\u0004\u0007\u0005ERROR\u0000", "latin1")])],
  ])("is refused: %s", (_what, bytes) => {
    expect(() => reader.push(bytes)).toThrow();
  });
});
