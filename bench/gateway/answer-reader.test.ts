import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AnswerReader } from "./answer-reader.ts";

const EVENTS = ['data: {"a":1}\n\n', 'data: {"b":"ä"}\n\n', "data: [DONE]\n\n"];
const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const BYTES = Buffer.byteLength(EVENTS.join(""));
const LAST = "0\r\n\r\n";

describe("answer reader", () => {
  test("counts the same for consecutive answers, however they are cut into chunks and reads", () => {
    const body = Buffer.from(EVENTS.join(""));
    const places = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });
    const reader = new AnswerReader();
    fc.assert(
      fc.property(places, places, (chunkEnds, readEnds) => {
        const framed = cut(body, chunkEnds)
          .filter((piece) => piece.length > 0)
          .map((piece) =>
            Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
          );
        const answer = Buffer.concat([Buffer.from(HEAD), ...framed, Buffer.from(LAST)]);
        reader.reset();
        const reads = cut(answer, readEnds);
        const complete = reads.map((read) => reader.push(read));
        expect(complete.indexOf(true)).toBe(reads.findLastIndex((read) => read.length > 0));
        expect([reader.events, reader.bytes]).toEqual([3, BYTES]);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["another status", `${HEAD.replace("200 OK", "503 Service Unavailable")}`, "503 Service Unavailable"],
    ["an answer without chunks", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", "not in chunks"],
    ["an answer without [DONE]", HEAD + chunk(EVENTS[0]!) + LAST, "not [DONE]"],
    ["bytes after the end", `${HEAD + chunk(EVENTS[2]!) + LAST}HTTP`, "after the answer's end"],
    ["a chunk without a size", `${HEAD}data: x\r\n`, "malformed"],
  ])("rejects %s", (_, answer, message) => {
    expect(() => new AnswerReader().push(Buffer.from(answer))).toThrow(message);
  });
});

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
