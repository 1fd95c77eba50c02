import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChunkTracker, unframed } from "./chunk-tracker.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

/** Feeds the pieces to a tracker. @returns the body's data, and the tracker */
function follow(...pieces: string[]) {
  const tracker = new ChunkTracker();
  let data = "";
  let used = 0;
  for (const piece of pieces) {
    used += tracker.push(bytes(piece), (from, to) => {
      data += piece.slice(from, to);
    });
  }
  return { tracker, data, used };
}

describe("the framing of a chunked body", () => {
  test("yields the data and the end, however the body is split", () => {
    const chunk = fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), fc.array(fc.nat(200)), (chunks, cuts) => {
        const framed = `${chunks.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join("")}0\r\n\r\n`;
        const places = [...new Set(cuts.map((cut) => cut % framed.length))].sort((a, b) => a - b);
        const pieces = [0, ...places].map((from, index) => framed.slice(from, places[index]));
        const { tracker, data, used } = follow(...pieces);
        expect(data).toBe(chunks.join(""));
        expect(tracker.isEnded).toBe(true);
        expect(used).toBe(framed.length);
      }),
    );
  });

  test("accepts upper-case sizes, extensions and trailers", () => {
    const { tracker, data } = follow("A;name=value\r\n0123456789\r\n0\r\nDigest: x\r\nEtag: y\r\n\r\n");
    expect(data).toBe("0123456789");
    expect(tracker.isEnded).toBe(true);
  });

  test.each(["a ;name=value", "a\t ; name = value ;b"])("accepts blanks around extensions: %j", (size) => {
    const { tracker, data } = follow(`${size}\r\n0123456789\r\n0\r\n\r\n`);
    expect(data).toBe("0123456789");
    expect(tracker.isEnded).toBe(true);
    expect(tracker.isEventByEvent).toBe(false);
  });

  test("reports where the body ends if more follows it", () => {
    expect(follow("1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK").used).toBe(11);
  });

  test.each([
    ["data: x\n\n", true],
    ["data: x\r\n\r\n", true],
    ["data: x\r\r", true],
    ["data: x\n\r\n", true],
    ["data: x\r\n\r", true],
    ["data: x\n", false],
    ["data: x\r", false],
    ["data: x\r\n", false],
    ["\n", false],
  ])("detects whether %j ends an event", (text, isEnd) => {
    expect(follow(`${text.length.toString(16)}\r\n${text}\r\n`).tracker.isEventByEvent).toBe(isEnd);
  });

  const plain = "9\r\ndata: x\n\n\r\n";

  test.each([
    ["an event in two chunks", "8\r\ndata: x\n\r\n1\r\n\n\r\n"],
    ["an extension", "9;a=b\r\ndata: x\n\n\r\n"],
  ])("is no longer event by event with %s", (_what, text) => {
    const { tracker } = follow(plain + plain);
    expect(tracker.isEventByEvent).toBe(true);
    tracker.push(bytes(text));
    expect(tracker.isEventByEvent).toBe(false);
  });

  test("reports where the last whole chunk ends in a piece", () => {
    expect(follow(plain).tracker.lastChunkEnd).toBe(plain.length);
    expect(follow(`${plain}9\r\ndata`).tracker.lastChunkEnd).toBe(plain.length);
    expect(follow(plain, "9\r\ndata").tracker.lastChunkEnd).toBe(0);
    expect(follow("9\r\ndata: x\n\n\r").tracker.lastChunkEnd).toBe(0);
    expect(follow(plain, "0\r\n\r\n").tracker.lastChunkEnd).toBe(0);
  });

  test("is removed by unframed", () => {
    expect(Buffer.from(unframed(bytes("3\r\nabc\r\n2\r\nde\r\n"))).toString()).toBe("abcde");
    expect(Buffer.from(unframed(bytes("3\r\nabc\r\n2\r\nd"))).toString()).toBe("abcd");
  });

  test.each([
    "hello",
    "\r\n",
    "ffffffffffffff\r\n",
    "1\r\nab\r\n",
    "-1\r\n",
    "+1\r\na\r\n",
    "0x1\r\na\r\n",
    " 1\r\na\r\n",
    "1 \r\na\r\n",
    "1\na\r\n",
    "1\r\na\n",
    "1\r\r\na\r\n",
    "1\ra\r\n",
    "1;a\nb\r\na\r\n",
    "1;a\u0000\r\na\r\n",
    `1;${"x".repeat(300)}\r\n`,
    `1${" ".repeat(300)};a\r\n`,
    "1 a\r\na\r\n",
    "0\r\n\n",
    "0\r\na: b\n\r\n",
    "0\r\na: \u0001\r\n\r\n",
  ])("rejects %j, however it is split", (text) => {
    for (let cut = 0; cut < text.length; cut++)
      expect(() => follow(text.slice(0, cut), text.slice(cut))).toThrow("chunked");
  });
});
