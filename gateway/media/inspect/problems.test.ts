import { expect, test } from "vitest";
import { inspectMedia } from "./index.ts";

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Bytes from text in Latin-1, numbers, and other bytes. */
function bytes(...parts: readonly (string | number | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "number" ? [part] : [...(typeof part === "string" ? latin1(part) : part)],
    ),
  );
}

function u32(value: number, isLittleEndian = false): Uint8Array {
  const result = new Uint8Array(4);
  new DataView(result.buffer).setUint32(0, value, isLittleEndian);
  return result;
}

function inspect(file: Uint8Array, size = file.length) {
  return inspectMedia({ size, read: (from, length) => file.subarray(from, from + length) });
}

test.each([
  ["nothing", ""],
  ["text", "Hello, world. This is no medium at all, whatever its name says."],
  ["a page", "<!doctype html><title>404</title>"],
  ["a drawing as text", '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  ["text that begins like a bitmap", "BM is what this text begins with, but it is none."],
  ["text that begins like a RIFF file", "RIFFs of this song are not in it."],
  ["text with a box's name", "The free lunch is not a movie."],
  ["two bytes that begin like MPEG sound", "\xff\xfb"],
  ["an archive", "PK\x03\x04\x14\x00\x00\x00"],
])("%s is not a medium", (_, text) => {
  expect(inspect(latin1(text))).toBeUndefined();
});

test("a PDF is a document", () => {
  expect(inspect(latin1("%PDF-1.7\n%âãÏÓ\n"))).toEqual({ kind: "document", format: "pdf" });
});

const png = (width: number, height: number) =>
  bytes("\x89PNG\r\n\x1a\n", u32(13), "IHDR", u32(width), u32(height), "\x08\x02\0\0\0", u32(0));
const oneSecond = bytes(
  "RIFF",
  u32(0),
  "WAVEfmt ",
  u32(16, true),
  "\x01\0\x01\0",
  u32(8_000, true),
  u32(16_000, true),
  "\x02\0\x10\0",
);

test.each([
  ["png", png(3, 5).subarray(0, 20)],
  ["jpeg", bytes(0xff, 0xd8, 0xff, 0xe1, 0x40, 0x00, "Exif\0\0")],
  ["gif", bytes("GIF89a", 1, 0, 1, 0, 0, 0, 0)],
  ["webp", bytes("RIFF", u32(30, true), "WEBPVP8 ", u32(20, true), 1, 2)],
  ["bmp", bytes("BM", new Uint8Array(12), u32(40, true), u32(3, true))],
  ["tiff", bytes("II*\0", u32(8, true))],
  ["avif", bytes(u32(20), "ftypavif", u32(0), "mif1")],
  ["wav", oneSecond],
  ["mp4", bytes(u32(16), "ftypisom", u32(0), u32(9_999), "mdat", "x")],
  ["mkv", bytes(0x1a, 0x45, 0xdf, 0xa3, 0x80, 0x18, 0x53, 0x80, 0x67, 0xff)],
  ["mp3", bytes("ID3\x04\0\0", 0, 0, 0x7f, 0x7f, "TIT2")],
])("a %s file that ends within its headers is incomplete", (format, file) => {
  expect(inspect(file)).toMatchObject({ kind: "broken", format, problem: "incomplete" });
});

test("an image without pixels is empty, and one with impossible dimensions invalid", () => {
  expect(inspect(png(0, 5))).toEqual({ kind: "broken", medium: "image", format: "png", problem: "empty" });
  expect(inspect(png(5, 0))).toMatchObject({ problem: "empty" });
  expect(inspect(png(2 ** 31, 5))).toMatchObject({ problem: "invalid" });
  expect(inspect(bytes("GIF89a", 9, 0, 9, 0, 0, 0, 0, ";"))).toMatchObject({
    format: "gif",
    problem: "empty",
  });
});

test("sound whose data chunk has no size lasts to the file's end", () => {
  const streamed = bytes(oneSecond, "data", u32(0), new Uint8Array(4_000));
  expect(inspect(streamed)).toMatchObject({
    kind: "audio",
    samples: 2_000,
    seconds: 0.25,
    pcm: { from: 44, length: 4_000, encoding: "signed", bits: 16, isLittleEndian: true },
  });
});

test("MPEG sound without a header of its own is estimated from its bit rate", () => {
  // 128 kbit/s at 44.1 kHz.
  const frame = bytes(0xff, 0xfb, 0x90, 0x04, new Uint8Array(413));
  const file = bytes(...new Array<Uint8Array>(100).fill(frame));
  const info = inspect(file);
  expect(info).toMatchObject({
    kind: "audio",
    format: "mp3",
    sampleRate: 44_100,
    channels: 2,
    samples: undefined,
  });
  expect(info?.kind === "audio" && info.seconds).toBeCloseTo((100 * 1_152) / 44_100, 1);
});

test("a recording whose writer never came back has no duration", () => {
  const element = (id: readonly number[], body: Uint8Array) => bytes(...id, 0x80 | body.length, body);
  const video = element([0xe0], bytes(element([0xb0], bytes(2, 128)), element([0xba], bytes(1, 224))));
  const entry = element([0xae], bytes(element([0x83], bytes(1)), video));
  const tracks = element([0x16, 0x54, 0xae, 0x6b], entry);
  const file = bytes(
    element([0x1a, 0x45, 0xdf, 0xa3], element([0x42, 0x82], bytes("webm"))),
    ...[0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    element([0x15, 0x49, 0xa9, 0x66], element([0x2a, 0xd7, 0xb1], bytes(0x0f, 0x42, 0x40))),
    tracks,
    ...[0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe7, 0x81, 0],
  );
  expect(inspect(file)).toEqual({
    kind: "video",
    format: "webm",
    width: 640,
    height: 480,
    seconds: undefined,
    frames: undefined,
    framesPerSecond: undefined,
  });
});

test("a movie's headers are found behind gigabytes of samples, in a few reads", () => {
  const head = bytes(u32(16), "ftypisom", u32(0), u32(1), "mdat", u32(1), u32(0x4000_0000));
  const tail = bytes(u32(8), "moov");
  const tailAt = 16 + 2 ** 32 + 0x4000_0000;
  let reads = 0;
  const info = inspectMedia({
    size: tailAt + tail.length,
    read(from, length) {
      reads += 1;
      return from >= tailAt
        ? tail.subarray(from - tailAt)
        : bytes(head, new Uint8Array(4_096)).subarray(from, from + length);
    },
  });
  // A movie without tracks.
  expect(info).toMatchObject({ kind: "broken", format: "mp4", problem: "invalid" });
  expect(reads).toBeLessThan(5);
});

test("HEIC has its dimensions and rotation among its properties", () => {
  const box = (type: string, ...body: readonly (string | number | Uint8Array)[]) => {
    const inside = bytes(...body);
    return bytes(u32(inside.length + 8), type, inside);
  };
  const properties = box(
    "ipco",
    box("ispe", u32(0), u32(4_032), u32(3_024)),
    box("ispe", u32(0), u32(320), u32(240)),
    box("irot", 3),
  );
  const associations = box("ipma", u32(0), u32(2), 0, 7, 1, 2, 0, 9, 2, 1, 3);
  const meta = box("meta", u32(0), box("pitm", u32(0), 0, 9), box("iprp", properties, associations));
  const file = bytes(box("ftyp", "mif1", u32(0), "mif1", "heic"), meta);
  expect(inspect(file)).toEqual({
    kind: "image",
    format: "heic",
    width: 4_032,
    height: 3_024,
    isRgb: true,
    orientation: 6,
  });
});
