import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AudioError } from "./audio-error.ts";
import { decodeAudio } from "./decode.ts";

/** A second of a tone of 1 kHz, as a function of time in seconds. */
const tone = (time: number) => 0.5 * Math.sin(2 * Math.PI * 1_000 * time);

interface Shape {
  readonly code?: number;
  readonly bits?: number;
  readonly rate?: number;
  readonly channels?: number;
  readonly write?: (view: DataView, at: number, value: number) => void;
  /** Extra chunks before the sound. */
  readonly before?: Uint8Array;
  /** What the header says of the sound's size. */
  readonly claimed?: number;
  readonly seconds?: number;
}

const int16 = (view: DataView, at: number, value: number) => view.setInt16(at, value * 32_767, true);

/** A WAV file of the tone. */
function wav({
  code = 1,
  bits = 16,
  rate = 16_000,
  channels = 1,
  write = int16,
  before = new Uint8Array(0),
  claimed,
  seconds = 0.5,
}: Shape = {}): Uint8Array {
  const step = (bits / 8) * channels;
  const frames = Math.round(rate * seconds);
  const bytes = new Uint8Array(44 + before.length + frames * step);
  const view = new DataView(bytes.buffer);
  const put = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  put(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  for (const [at, value] of [
    [20, code],
    [22, channels],
    [32, step],
    [34, bits],
  ] as const)
    view.setUint16(at, value, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * step, true);
  bytes.set(before, 36);
  put(36 + before.length, "data");
  view.setUint32(40 + before.length, claimed ?? frames * step, true);
  for (let frame = 0; frame < frames; frame++)
    for (let channel = 0; channel < channels; channel++)
      write(view, 44 + before.length + frame * step + (channel * bits) / 8, tone(frame / rate));
  return bytes;
}

async function expectTone(bytes: Uint8Array, tolerance: number): Promise<void> {
  const samples = await decodeAudio(bytes);
  expect(Math.abs(samples.length - 8_000)).toBeLessThan(1_200);
  let worst = 0;
  for (let at = 1_000; at < 6_000; at++) worst = Math.max(worst, Math.abs(samples[at]! - tone(at / 16_000)));
  expect(worst).toBeLessThan(tolerance);
}

describe("WAV", () => {
  test.each<[string, Shape, number]>([
    ["16 bits", {}, 1e-3],
    ["8 bits", { bits: 8, write: (view, at, value) => view.setUint8(at, 128 + value * 127) }, 2e-2],
    [
      "24 bits",
      {
        bits: 24,
        write(view, at, value) {
          const whole = Math.round(value * 8_388_607);
          view.setUint16(at, whole & 0xffff, true);
          view.setInt8(at + 2, whole >> 16);
        },
      },
      1e-6,
    ],
    [
      "32 bits",
      { bits: 32, write: (view, at, value) => view.setInt32(at, value * 2_147_483_647, true) },
      1e-6,
    ],
    ["floats", { code: 3, bits: 32, write: (view, at, value) => view.setFloat32(at, value, true) }, 1e-6],
    ["doubles", { code: 3, bits: 64, write: (view, at, value) => view.setFloat64(at, value, true) }, 1e-6],
    ["two channels", { channels: 2 }, 1e-3],
    ["six channels at 48 kHz", { channels: 6, rate: 48_000 }, 2e-3],
    ["8 kHz", { rate: 8_000 }, 2e-3],
    ["44.1 kHz", { rate: 44_100, channels: 2 }, 2e-3],
    [
      "another chunk first",
      { before: Uint8Array.from([0x4c, 0x49, 0x53, 0x54, 3, 0, 0, 0, 1, 2, 3, 0]) },
      1e-3,
    ],
    ["a size that its writer did not know", { claimed: 0xffffffff }, 1e-3],
    [
      "µ-law",
      {
        code: 7,
        bits: 8,
        write(view, at, value) {
          const size = Math.min(32_635, Math.abs(value) * 32_767) + 0x84;
          const segment = Math.floor(Math.log2(size)) - 7;
          const mantissa = (Math.floor(size) >> (segment + 3)) & 0x0f;
          view.setUint8(at, ~((value < 0 ? 0x80 : 0) | (segment << 4) | mantissa));
        },
      },
      2e-2,
    ],
  ])("of %s", async (_what, shape, tolerance) => {
    await expectTone(wav(shape), tolerance);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(0), /is empty/],
    ["text", new TextEncoder().encode("Hello, this is no audio."), /not audio in a format/],
    ["a header alone", wav().subarray(0, 12), /no 'data'/],
    ["half a header", wav().subarray(0, 30), /is cut off/],
    ["half of its sound", wav().subarray(0, 4_000), /promises 16000 bytes of sound, and 3956 follow/],
    ["a header that promises too much", wav({ claimed: 1_000_000 }), /promises 1000000 bytes/],
    ["no samples", wav({ seconds: 0 }), /no sound in it/],
    ["half a sample", wav({ claimed: 1 }), /no sound in it/],
    ["no channels", wav({ channels: 0 }), /no channels/],
    ["a rate of 0", wav({ rate: 0, seconds: 0 }), /no sound/],
    ["a rate too low", lying(24, 100), /sample rate is 100 Hz/],
    ["a rate too high", lying(24, 4_000_000_000), /sample rate is 4000000000 Hz/],
    ["12 bits", wav({ bits: 12, write() {} }), /format 1, 12 bits/],
    ["ADPCM", wav({ code: 2 }), /format 2, 16 bits/],
  ])("with %s is refused", async (_what, bytes, message) => {
    await expect(decodeAudio(bytes)).rejects.toThrow(AudioError);
    await expect(decodeAudio(bytes)).rejects.toThrow(message);
  });

  /** A file of 16 bits whose header says something else at an offset. */
  function lying(at: number, value: number): Uint8Array {
    const bytes = wav();
    new DataView(bytes.buffer).setUint32(at, value, true);
    return bytes;
  }
});

describe("compressed files", () => {
  const file = (name: string) => readFileSync(new URL(`test-tones/${name}`, import.meta.url));

  test.each([
    ["tone.flac", 0.002],
    ["vorbis.ogg", 0.15],
    ["opus.ogg", 0.15],
  ])("%s", async (name, tolerance) => {
    const samples = await decodeAudio(file(name));
    // The stereo files' second channel is half as loud.
    const scale = name === "tone.flac" ? 1 : 0.75;
    expect(Math.abs(samples.length - 8_000)).toBeLessThan(400);
    const power = samples.subarray(1_000, 7_000).reduce((sum, value) => sum + value * value, 0) / 6_000;
    expect(Math.sqrt(2 * power)).toBeCloseTo(0.5 * scale, tolerance < 0.01 ? 3 : 1);
  });

  test("tone.mp3", async () => {
    const samples = await decodeAudio(file("tone.mp3"));
    const power = samples.subarray(2_000, 6_000).reduce((sum, value) => sum + value * value, 0) / 4_000;
    expect(Math.sqrt(2 * power)).toBeCloseTo(0.5, 1);
  });

  test.each(["tone.flac", "vorbis.ogg", "opus.ogg", "tone.mp3"])(
    "%s cut off gives its beginning, or is refused",
    async (name) => {
      const whole = file(name);
      for (const share of [0.02, 0.3, 0.8]) {
        const cut = decodeAudio(whole.subarray(0, Math.round(whole.length * share)));
        await cut.then(
          (samples) => expect(samples.length).toBeGreaterThan(0),
          (error) => expect(error).toBeInstanceOf(AudioError),
        );
      }
    },
  );

  test("damaged ones end in samples or a refusal, never otherwise", async () => {
    const names = fc.constantFrom("tone.flac", "vorbis.ogg", "opus.ogg", "tone.mp3");
    const damage = fc.array(fc.tuple(fc.nat(8_000), fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(names, damage, async (name, places) => {
        const bytes = Uint8Array.from(file(name));
        for (const [at, value] of places) bytes[at % bytes.length] = value;
        await decodeAudio(bytes).catch((error) => expect(error).toBeInstanceOf(AudioError));
      }),
      { numRuns: 40 },
    );
  });
});

test.each([
  ["AAC", [0xff, 0xf1, 0x50, 0x80]],
  ["WebM or Matroska", [0x1a, 0x45, 0xdf, 0xa3]],
  ["MP4 or M4A", [0, 0, 0, 0x18, 0x66, 0x74, 0x79, 0x70]],
  ["AIFF", [0x46, 0x4f, 0x52, 0x4d]],
  ["Ogg without Vorbis, Opus or FLAC", [0x4f, 0x67, 0x67, 0x53]],
])("%s is refused by its name, with what is taken", async (name, start) => {
  const bytes = new Uint8Array(100);
  bytes.set(start);
  await expect(decodeAudio(bytes)).rejects.toThrow(
    `The file is ${name}, which is not supported. Send WAV, FLAC, MP3, or Ogg with Vorbis or Opus.`,
  );
});
