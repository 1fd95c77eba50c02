import fc from "fast-check";
import { expect, test } from "vitest";
import { inspectMedia } from "./index.ts";
import { fileOf, mediaCases } from "./test-fixtures.ts";

const anyFile = fc.constantFrom(...mediaCases.map(fileOf));

/** Inspects bytes that claim to be of any size, and checks what holds whatever they are. */
function inspect(bytes: Uint8Array, size = bytes.length) {
  const read = { count: 0, bytes: 0 };
  const info = inspectMedia({
    size,
    read(from, length) {
      read.count += 1;
      read.bytes += length;
      expect(from).toBeGreaterThanOrEqual(0);
      expect(from + length).toBeLessThanOrEqual(size);
      return bytes.subarray(from, from + length);
    },
  });
  expect(read.count).toBeLessThanOrEqual(256);
  expect(read.bytes).toBeLessThanOrEqual(1_048_576);
  for (const value of Object.values(info ?? {}))
    if (typeof value === "number") expect(Number.isFinite(value) && value >= 0).toBe(true);
  if (info?.kind === "image") expect(Math.min(info.width, info.height)).toBeGreaterThan(0);
  return info;
}

test("any bytes are judged without an error, within the limits", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 512 }), (bytes) => void inspect(bytes)));
});

test("a signature with any bytes after it is judged within the limits", () => {
  const tail = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(anyFile, fc.nat(64), tail, (file, kept, rest) => {
      inspect(Uint8Array.from([...file.subarray(0, kept), ...rest]));
    }),
  );
});

test("a file cut anywhere is judged within the limits", () => {
  fc.assert(fc.property(anyFile, fc.nat(8_000), (file, length) => void inspect(file.subarray(0, length))));
});

test("a file that claims more bytes than it has is judged within the limits", () => {
  const sizes = fc.constantFrom(2 ** 31 - 1, 2 ** 32 - 1, 2 ** 40, Number.MAX_SAFE_INTEGER);
  fc.assert(fc.property(anyFile, sizes, (file, size) => void inspect(file, size)));
});

test("a file with changed bytes is judged within the limits", () => {
  const change = fc.tuple(fc.nat(2_000), fc.nat(255));
  fc.assert(
    fc.property(anyFile, fc.array(change, { minLength: 1, maxLength: 8 }), (file, changes) => {
      const bytes = file.slice();
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      inspect(bytes);
    }),
    { numRuns: 2_000 },
  );
});

test("a file with extreme numbers in its headers is judged within the limits", () => {
  const extremes = [
    [0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0xff],
    [0x7f, 0xff, 0xff, 0xff],
    [0xff, 0xff, 0xff, 0x7f],
    [0, 0, 0, 1],
    [1, 0, 0, 0],
    [0x80, 0, 0, 0],
    [0, 0, 0, 8],
  ];
  const change = fc.tuple(fc.nat(1_500), fc.constantFrom(...extremes));
  fc.assert(
    fc.property(anyFile, fc.array(change, { minLength: 1, maxLength: 4 }), (file, changes) => {
      const bytes = file.slice();
      for (const [at, value] of changes) bytes.set(value, at % Math.max(1, bytes.length - 4));
      inspect(bytes);
    }),
    { numRuns: 2_000 },
  );
});

const ascii = (text: string) => Array.from(text, (character) => character.charCodeAt(0));
const zeros = (count: number) => new Array<number>(count).fill(0);

test.each([
  [
    "boxes of eight bytes without an end",
    [0, 0, 0, 16, ...ascii("ftypisom"), 0, 0, 0, 0],
    [0, 0, 0, 8, ...ascii("free")],
  ],
  ["empty RIFF chunks without an end", ascii("RIFF....WAVE"), [...ascii("JUNK"), 0, 0, 0, 0]],
  [
    "PNG chunks without an end",
    [
      ...ascii("\x89PNG\r\n\x1a\n"),
      0,
      0,
      0,
      13,
      ...ascii("IHDR"),
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      1,
      8,
      2,
      0,
      0,
      0,
      ...zeros(4),
    ],
    [...zeros(4), ...ascii("tEXt"), ...zeros(4)],
  ],
  ["JPEG segments without an end", [0xff, 0xd8], [0xff, 0xe0, 0, 2]],
  ["JPEG fill bytes without an end", [0xff, 0xd8], [0xff]],
  ["GIF extensions without an end", [...ascii("GIF89a"), ...zeros(7)], [0x21, 0xfe, 0]],
  ["EBML voids without an end", [0x1a, 0x45, 0xdf, 0xa3, 0x80, 0x18, 0x53, 0x80, 0x67, 0xff], [0xec, 0x80]],
  ["Ogg pages without an end", [], [...ascii("OggS"), 0, 2, ...zeros(8), 1, ...zeros(11), 0]],
  ["ID3 tags without an end", [], [...ascii("ID3"), 4, ...zeros(6)]],
  ["MPEG frames without an end", [], [0xff, 0xfb, 0x10, 0xc4, ...zeros(100)]],
])("%s are left after a while", (_, head, piece) => {
  const bytes = new Uint8Array(3_000_000);
  bytes.set(head);
  for (let at = head.length; at + piece.length <= bytes.length; at += piece.length) bytes.set(piece, at);
  inspect(bytes);
});

test("a TIFF directory that lists itself is read once", () => {
  const entries = Array.from({ length: 65_535 }, () => [0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]).flat();
  inspect(Uint8Array.from([...ascii("II*\0"), 8, 0, 0, 0, 0xff, 0xff, ...entries]));
});
