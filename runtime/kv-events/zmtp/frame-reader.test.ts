import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { FrameReader } from "./frame-reader.ts";
import { command, errorCommand, greeting, message, pingCommand, readyCommand } from "./framing.ts";

const MOST_BYTES = 100_000;

let told: unknown[];
let reader: FrameReader;

beforeEach(() => {
  told = [];
  reader = read(told);
});

/** Records what it reads. */
function read(into: unknown[]): FrameReader {
  return new FrameReader(MOST_BYTES, {
    onReady: (type) => into.push(type),
    onMessage: (frames) => into.push(frames.map((frame) => frame.toString("latin1"))),
    onCommand: (name, data) => into.push({ [name]: data.toString("latin1") }),
  });
}

const text = (...frames: string[]) => message(frames.map((frame) => Buffer.from(frame, "latin1")));
const opening = () => Buffer.concat([greeting(), readyCommand("PUB")]);

describe("data from a ZeroMQ socket", () => {
  const long = "x".repeat(6_000);
  const all = Buffer.concat([
    opening(),
    text("topic", "", "y".repeat(255), "z".repeat(256)),
    pingCommand(),
    command("SUBSCRIBE", Buffer.from("topic")),
    text(long),
    text(""),
  ]);
  const wanted = [
    "PUB",
    ["topic", "", "y".repeat(255), "z".repeat(256)],
    { PING: "\0\0" },
    { SUBSCRIBE: "topic" },
    [long],
    [""],
  ];

  test("is parsed the same however it is split", () => {
    for (let cut = 0; cut <= all.length; cut++) {
      const cutTold: unknown[] = [];
      const cutReader = read(cutTold);
      cutReader.push(all.subarray(0, cut));
      cutReader.push(all.subarray(cut));
      expect(JSON.stringify(cutTold)).toBe(JSON.stringify(wanted));
    }
  });

  test("is parsed the same byte by byte, and in pieces of any lengths", () => {
    for (const byte of all) reader.push(Buffer.of(byte));
    expect(told).toEqual(wanted);
    const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5_000 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(lengths, (lengths) => {
        const cutTold: unknown[] = [];
        const cutReader = read(cutTold);
        for (let at = 0, turn = 0; at < all.length; turn++) {
          const length = lengths[turn % lengths.length]!;
          cutReader.push(all.subarray(at, at + length));
          at += length;
        }
        expect(cutTold).toEqual(wanted);
      }),
      { numRuns: 50 },
    );
  });

  test("has the socket type under a case-insensitive name", () => {
    const ready = readyCommand("PUB").toString("latin1").replace("Socket-Type", "SOCKET-TYPE");
    reader.push(Buffer.concat([greeting(), Buffer.from(ready, "latin1")]));
    reader.push(text("a"));
    expect(told).toEqual(["PUB", ["a"]]);
  });

  test.each([
    ["nothing", ""],
    ["a name that is cut off", "\u000bSocket-T"],
    ["a value that is cut off", "\u000bSocket-Type\0\0\0\u0009PUB"],
  ])("has no type where its properties are %s", (_what, properties) => {
    reader.push(Buffer.concat([greeting(), command("READY", Buffer.from(properties, "latin1"))]));
    expect(told).toEqual([""]);
  });
});

describe("invalid data", () => {
  const bytes = (...values: number[]) => Buffer.from(values);

  test.each([
    ["another protocol", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["another protocol, from its first byte on", Buffer.from("H")],
    ["an old version", Buffer.concat([bytes(0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1), Buffer.alloc(53)])],
    ["encryption", Buffer.concat([greeting().subarray(0, 12), Buffer.from("CURVE"), Buffer.alloc(47)])],
    ["a command of a terabyte", Buffer.concat([greeting(), bytes(6, 0, 0, 1, 0, 0, 0, 0, 0)])],
    ["a frame of 2^64 bytes", Buffer.concat([opening(), bytes(2, 255, 255, 255, 255, 255, 255, 255, 255)])],
    ["a frame over the limit", Buffer.concat([opening(), bytes(2, 0, 0, 0, 0, 0, 1, 0x86, 0xa1)])],
    ["a message over the limit", Buffer.concat([opening(), text("x".repeat(50_000), "x".repeat(50_000))])],
    ["a message of endless empty frames", Buffer.concat([opening(), Buffer.alloc(2_100, bytes(1, 0))])],
    ["a message in place of READY", Buffer.concat([greeting(), text("early")])],
    ["a PING in place of READY", Buffer.concat([greeting(), pingCommand()])],
    ["a command in two frames", Buffer.concat([opening(), bytes(5, 5, 4, 80, 73, 78, 71)])],
    ["reserved bits", Buffer.concat([opening(), bytes(8, 0)])],
    ["a command without a name", Buffer.concat([opening(), bytes(4, 1, 0)])],
    ["a command whose name is cut off", Buffer.concat([opening(), bytes(4, 2, 9, 80)])],
    ["an empty command", Buffer.concat([opening(), bytes(4, 0)])],
  ])("is refused: %s", (_what, bytes) => {
    expect(() => reader.push(bytes)).toThrow(/^The peer /);
  });

  test("includes a refusal, whose reason is reported", () => {
    const refusal = Buffer.concat([greeting(), errorCommand("No such thing.")]);
    expect(() => reader.push(refusal)).toThrow("The peer refuses the connection: No such thing.");
  });

  test("is either refused or parsed", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(Buffer.alloc(0), greeting(), opening()),
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
        (start, pieces) => {
          const noisyReader = read([]);
          noisyReader.push(start);
          try {
            for (const piece of pieces) noisyReader.push(Buffer.from(piece));
          } catch (error) {
            expect(String(error)).toMatch(/^Error: The peer /);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
